// The round trip of ../scenario.ts with franz-go.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	records         = 100
	bigRecords      = 3
	bigBytes        = 1_048_576
	groupPartitions = 4
	timeout         = 30 * time.Second
)

var (
	bootstrap, prefix string
	codecs            []string
	startMs           int64
	ctx               context.Context
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func smallRecord(i int) *kgo.Record {
	record := &kgo.Record{}
	if i%5 != 4 || i%7 == 6 {
		record.Key = fmt.Appendf(nil, "key-%d", i)
	}
	if i%7 != 6 {
		record.Value = make([]byte, (i*37)%300)
		for j := range record.Value {
			record.Value[j] = byte(i*31 + j*17)
		}
	}
	if i%3 == 0 {
		record.Headers = []kgo.RecordHeader{
			{Key: "h", Value: fmt.Appendf(nil, "v%d", i)},
			{Key: "h", Value: fmt.Appendf(nil, "w%d", i)},
		}
	}
	return record
}

func bigRecord(i int) *kgo.Record {
	value := make([]byte, bigBytes)
	for j := range value {
		value[j] = byte(i + j*7 + (j>>8)*13)
	}
	return &kgo.Record{Key: fmt.Appendf(nil, "key-%d", i), Value: value}
}

func hexed(data []byte) string {
	if data == nil {
		return "-"
	}
	return hex.EncodeToString(data)
}

func line(record *kgo.Record) string {
	var headers []string
	for _, header := range record.Headers {
		headers = append(headers, header.Key+"="+hexed(header.Value))
	}
	return fmt.Sprintf("%d|%s|%s|%s\n", record.Offset, hexed(record.Key), hexed(record.Value), strings.Join(headers, ";"))
}

func digest(lines []string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

func compression(codec string) kgo.CompressionCodec {
	switch codec {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

func client(options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	check(err)
	return made
}

func create(topic string, partitions int32, configs map[string]*string) {
	connection := client()
	defer connection.Close()
	_, err := kadm.NewClient(connection).CreateTopic(ctx, partitions, 1, configs, topic)
	check(err)
}

// produce sends record i to partition i % partitions and returns the lines i:partition:offset.
func produce(topic, codec string, partitions, count int, make func(int) *kgo.Record) []string {
	producer := client(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(compression(codec)),
		kgo.ProducerBatchMaxBytes(1_100_000),
	)
	defer producer.Close()
	var batch []*kgo.Record
	for i := range count {
		record := make(i)
		record.Topic = topic
		record.Partition = int32(i % partitions)
		batch = append(batch, record)
	}
	check(producer.ProduceSync(ctx, batch...).FirstErr())
	var lines []string
	for i, record := range batch {
		lines = append(lines, fmt.Sprintf("%d:%d:%d\n", i, record.Partition, record.Offset))
	}
	return lines
}

type partitionReport struct {
	Count int    `json:"count"`
	Sha   string `json:"sha"`
}

type topicReport struct {
	Acked      string                     `json:"acked"`
	Partitions map[string]partitionReport `json:"partitions"`
}

func roundTrip(topic, codec string, count int, make func(int) *kgo.Record) topicReport {
	acked := produce(topic, codec, 2, count, make)
	start := kgo.NewOffset().AtStart()
	reader := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: start, 1: start}}))
	defer reader.Close()
	var lines [2][]string
	for len(lines[0])+len(lines[1]) < count {
		fetches := reader.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			lines[record.Partition] = append(lines[record.Partition], line(record))
		})
	}
	partitions := map[string]partitionReport{}
	for partition := range lines {
		partitions[strconv.Itoa(partition)] = partitionReport{len(lines[partition]), digest(lines[partition])}
	}
	return topicReport{digest(acked), partitions}
}

// member is a group member that commits what it has seen before it gives a partition up.
type member struct {
	sync.Mutex
	client     *kgo.Client
	assignment map[int32]bool
	seen       map[string]bool
	done       chan struct{}
}

func join(topic, group string) *member {
	m := &member{assignment: map[int32]bool{}, seen: map[string]bool{}, done: make(chan struct{})}
	change := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, c *kgo.Client, topics map[string][]int32) {
			if !owned {
				check(c.CommitUncommittedOffsets(ctx))
			}
			m.Lock()
			defer m.Unlock()
			for _, partition := range topics[topic] {
				if owned {
					m.assignment[partition] = true
				} else {
					delete(m.assignment, partition)
				}
			}
		}
	}
	m.client = client(
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.SessionTimeout(10*time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(change(true)),
		kgo.OnPartitionsRevoked(change(false)),
		kgo.OnPartitionsLost(change(false)),
	)
	go m.run()
	return m
}

func (m *member) run() {
	defer close(m.done)
	for {
		fetches := m.client.PollFetches(ctx)
		if fetches.IsClientClosed() || ctx.Err() != nil {
			return
		}
		m.Lock()
		fetches.EachRecord(func(record *kgo.Record) {
			m.seen[fmt.Sprintf("%d:%d", record.Partition, record.Offset)] = true
		})
		m.Unlock()
		m.client.AllowRebalance()
	}
}

func (m *member) leave() {
	check(m.client.CommitUncommittedOffsets(ctx))
	m.client.CloseAllowingRebalance()
	<-m.done
}

func (m *member) owned() []int {
	m.Lock()
	defer m.Unlock()
	partitions := []int{}
	for partition := range m.assignment {
		partitions = append(partitions, int(partition))
	}
	sort.Ints(partitions)
	return partitions
}

func seenBy(members ...*member) []string {
	all := map[string]bool{}
	for _, m := range members {
		m.Lock()
		for entry := range m.seen {
			all[entry] = true
		}
		m.Unlock()
	}
	lines := []string{}
	for entry := range all {
		lines = append(lines, entry)
	}
	slices.Sort(lines)
	return lines
}

func until(what string, condition func() bool) {
	deadline := time.Now().Add(timeout)
	for !condition() {
		if time.Now().After(deadline) {
			panic("timed out: " + what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func groupReport() map[string]any {
	topic := prefix + "-group"
	value := func(i int) *kgo.Record { return &kgo.Record{Key: fmt.Appendf(nil, "key-%d", i), Value: []byte("v")} }
	create(topic, groupPartitions, nil)
	produce(topic, "none", groupPartitions, 200, value)
	a := join(topic, topic)
	until("A alone", func() bool { return len(a.owned()) == 4 })
	alone := a.owned()
	b := join(topic, topic)
	until("A and B", func() bool { return len(a.owned()) == 2 && len(b.owned()) == 2 })
	together := [][]int{a.owned(), b.owned()}
	produce(topic, "none", groupPartitions, 200, value)
	until("all records", func() bool { return len(seenBy(a, b)) == 400 })
	b.leave()
	until("A after B", func() bool { return len(a.owned()) == 4 })
	left := a.owned()
	a.leave()
	connection := client()
	defer connection.Close()
	fetched, err := kadm.NewClient(connection).FetchOffsets(ctx, topic)
	check(err)
	committed := map[string]int64{}
	fetched.Each(func(offset kadm.OffsetResponse) {
		committed[strconv.Itoa(int(offset.Partition))] = offset.At
	})
	produce(topic, "none", groupPartitions, 40, value)
	c := join(topic, topic)
	until("resumed", func() bool { return len(seenBy(c)) >= 40 })
	c.leave()
	lines := seenBy(a, b)
	for i := range lines {
		lines[i] += "\n"
	}
	return map[string]any{
		"alone": alone, "together": together, "left": left,
		"seen": digest(lines), "committed": committed, "resumed": seenBy(c),
	}
}

func timesReport() map[string]any {
	topic := prefix + "-times"
	create(topic, 1, nil)
	produce(topic, codecs[len(codecs)-1], 1, records, func(i int) *kgo.Record {
		return &kgo.Record{Value: []byte("v"), Timestamp: time.UnixMilli(startMs + 1000*int64(i))}
	})
	connection := client()
	defer connection.Close()
	report := map[string]any{}
	for name, afterMs := range map[string]int64{"first": 0, "middle": 49_500, "after": 100_000} {
		listed, err := kadm.NewClient(connection).ListOffsetsAfterMilli(ctx, startMs+afterMs, topic)
		check(err)
		found, _ := listed.Lookup(topic, 0)
		check(found.Err)
		report[name] = found.Offset
		// Where no record is that late, kadm answers with the end offset and no timestamp.
		if found.Timestamp == -1 {
			report[name] = nil
		}
	}
	middle := kgo.NewOffset().At(report["middle"].(int64))
	reader := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: middle}}))
	defer reader.Close()
	fetches := reader.PollRecords(ctx, 1)
	check(fetches.Err())
	first := fetches.Records()[0]
	report["sought"] = fmt.Sprintf("%d:%d", first.Offset, first.Timestamp.UnixMilli()-startMs)
	return report
}

func main() {
	bootstrap, prefix, codecs = os.Args[1], os.Args[2], strings.Split(os.Args[3], ",")
	var err error
	startMs, err = strconv.ParseInt(os.Args[4], 10, 64)
	check(err)
	var cancel context.CancelFunc
	ctx, cancel = context.WithTimeout(context.Background(), 4*timeout)
	defer cancel()

	byCodec := map[string]topicReport{}
	for _, codec := range codecs {
		create(prefix+"-"+codec, 2, nil)
		byCodec[codec] = roundTrip(prefix+"-"+codec, codec, records, smallRecord)
	}
	large := "1100000"
	create(prefix+"-big", 2, map[string]*string{"max.message.bytes": &large})
	big := roundTrip(prefix+"-big", "none", bigRecords, bigRecord)
	report := map[string]any{"codecs": byCodec, "big": big, "times": timesReport(), "group": groupReport()}
	check(json.NewEncoder(os.Stdout).Encode(report))
}
