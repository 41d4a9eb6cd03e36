// The round trip of sarama at the protocol of one old release: produces in a codec, reads back, and reads in a group.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const count = 100

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func config(version string) *sarama.Config {
	config := sarama.NewConfig()
	parsed, err := sarama.ParseKafkaVersion(version)
	check(err)
	config.Version = parsed
	config.ApiVersionsRequest = false
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Session.Timeout = 10 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	config.Consumer.Return.Errors = false
	return config
}

func produce(bootstrap, topic, version string, codec sarama.CompressionCodec) {
	config := config(version)
	config.Producer.Compression = codec
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	check(err)
	batch := []*sarama.ProducerMessage{}
	for i := 0; i < count; i++ {
		batch = append(batch, &sarama.ProducerMessage{
			Topic: topic, Partition: 0,
			Key:   sarama.StringEncoder(fmt.Sprintf("key-%d", i)),
			Value: sarama.StringEncoder(fmt.Sprintf("value-%d", i)),
		})
	}
	check(producer.SendMessages(batch))
	check(producer.Close())
}

func show(what string, message *sarama.ConsumerMessage) {
	fmt.Printf("%s %d %s %s\n", what, message.Offset, message.Key, message.Value)
}

func read(bootstrap, topic, version, what string) {
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config(version))
	check(err)
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	check(err)
	for i := 0; i < count; i++ {
		select {
		case message := <-partition.Messages():
			show(what, message)
		case <-time.After(20 * time.Second):
			check(fmt.Errorf("%s: only %d records", topic, i))
		}
	}
	check(partition.Close())
	check(consumer.Close())
}

type member struct {
	what string
	want int
	done context.CancelFunc
	lock sync.Mutex
}

func (m *member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.lock.Lock()
		show(m.what, message)
		session.MarkMessage(message, "")
		m.want--
		if m.want == 0 {
			m.done()
		}
		m.lock.Unlock()
	}
	return nil
}

func readInGroup(bootstrap, topic, version, group, what string) {
	consumer, err := sarama.NewConsumerGroup([]string{bootstrap}, group, config(version))
	check(err)
	ctx, done := context.WithTimeout(context.Background(), 30*time.Second)
	defer done()
	m := &member{what: what, want: count, done: done}
	for ctx.Err() == nil {
		if err := consumer.Consume(ctx, []string{topic}, m); err != nil && ctx.Err() == nil {
			check(err)
		}
	}
	check(consumer.Close())
}

func main() {
	bootstrap, prefix, version := os.Args[1], os.Args[2], os.Args[3]
	codecs := map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	}
	if config(version).Version.IsAtLeast(sarama.V0_10_0_0) {
		codecs["lz4"] = sarama.CompressionLZ4
	}
	for name, codec := range codecs {
		topic := prefix + "-" + name
		produce(bootstrap, topic, version, codec)
		read(bootstrap, topic, version, name)
	}
	topic := prefix + "-none"
	// Groups in sarama need 0.10.2; what it can do of them before that are offsets.
	if config(version).Version.IsAtLeast(sarama.V0_10_2_0) {
		readInGroup(bootstrap, topic, version, prefix, "group")
		produce(bootstrap, topic, version, sarama.CompressionNone)
		readInGroup(bootstrap, topic, version, prefix, "resumed")
	} else {
		commit(bootstrap, topic, version, prefix)
	}
}

func commit(bootstrap, topic, version, group string) {
	for _, want := range []int64{0, 42} {
		client, err := sarama.NewClient([]string{bootstrap}, config(version))
		check(err)
		manager, err := sarama.NewOffsetManagerFromClient(group, client)
		check(err)
		partition, err := manager.ManagePartition(topic, 0)
		check(err)
		next, metadata := partition.NextOffset()
		fmt.Printf("committed %d %s\n", next, metadata)
		if want == 0 {
			partition.MarkOffset(42, "note")
		}
		check(partition.Close())
		check(manager.Close())
		check(client.Close())
	}
}
