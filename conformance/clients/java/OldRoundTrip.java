import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What the clients of 0.9 could do, in the API that they and the later ones share: produces to topics made on the way,
 * reads them back, and shares a topic between two members of a group. Prints what it reads, a line each.
 */
public class OldRoundTrip {
    static String bootstrap;
    static String prefix;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        prefix = args[1];
        for (String codec : args[2].split(",")) {
            String topic = prefix + "-" + codec;
            produce(topic, codec, 0, 100, 1000);
            read(topic, codec, 100);
        }
        produce(prefix + "-big", "none", 0, 3, 900_000);
        read(prefix + "-big", "big", 3);
        group();
    }

    static String value(int i, int size) {
        char[] text = new char[size];
        Arrays.fill(text, (char) ('a' + i % 26));
        return i % 7 == 6 ? null : i + ":" + new String(text);
    }

    static void produce(String topic, String codec, int from, int count, int size) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("acks", "all");
        config.put("linger.ms", "20");
        config.put("compression.type", codec);
        config.put("max.request.size", "1000000");
        config.put("key.serializer", StringSerializer.class.getName());
        config.put("value.serializer", StringSerializer.class.getName());
        KafkaProducer<String, String> producer = new KafkaProducer<>(config);
        int partitions = producer.partitionsFor(topic).size();
        for (int i = from; i < from + count; i++) {
            ProducerRecord<String, String> record = new ProducerRecord<>(topic, i % partitions, "key-" + i, value(i, size));
            if (i == from + count - 1) {
                System.out.println("sent " + topic + " " + producer.send(record).get().offset());
            } else {
                producer.send(record);
            }
        }
        producer.close();
    }

    static KafkaConsumer<String, String> consumer(String group) {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", group);
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("session.timeout.ms", "10000");
        config.put("heartbeat.interval.ms", "300");
        config.put("key.deserializer", StringDeserializer.class.getName());
        config.put("value.deserializer", StringDeserializer.class.getName());
        return new KafkaConsumer<>(config);
    }

    static void print(String what, ConsumerRecord<String, String> record) {
        String value = record.value() == null ? "null" : record.value().substring(0, record.value().indexOf(':'))
            + "/" + record.value().length();
        System.out.println(what + " " + record.partition() + " " + record.offset() + " " + record.key() + " " + value);
    }

    static void read(String topic, String what, int count) {
        KafkaConsumer<String, String> consumer = consumer(prefix + "-none");
        int partitions = consumer.partitionsFor(topic).size();
        TopicPartition[] all = new TopicPartition[partitions];
        for (int i = 0; i < partitions; i++) all[i] = new TopicPartition(topic, i);
        consumer.assign(Arrays.asList(all));
        int seen = 0;
        long end = System.currentTimeMillis() + 30_000;
        while (seen < count && System.currentTimeMillis() < end) {
            for (ConsumerRecord<String, String> record : consumer.poll(200)) {
                print(what, record);
                seen++;
            }
        }
        consumer.close();
    }

    /** Two members read a topic, commit and leave; a third goes on where they stopped. */
    static void group() throws Exception {
        String topic = prefix + "-group";
        produce(topic, "none", 0, 200, 10);
        List<String> topics = Arrays.asList(topic);
        KafkaConsumer<String, String> first = consumer(prefix + "-group");
        KafkaConsumer<String, String> second = consumer(prefix + "-group");
        first.subscribe(topics);
        second.subscribe(topics);
        CountDownLatch both = new CountDownLatch(2);
        Thread other = new Thread(() -> run(second, "shared", both));
        other.start();
        run(first, "shared", both);
        other.join();
        produce(topic, "none", 200, 40, 10);
        KafkaConsumer<String, String> third = consumer(prefix + "-group");
        third.subscribe(topics);
        run(third, "resumed", new CountDownLatch(1));
    }

    /** Reads for as long as there is something new, commits what it read, and leaves. */
    static void run(KafkaConsumer<String, String> consumer, String what, CountDownLatch all) {
        long end = System.currentTimeMillis() + 12_000;
        while (System.currentTimeMillis() < end) {
            boolean hasAny = false;
            for (ConsumerRecord<String, String> record : consumer.poll(200)) {
                synchronized (System.out) {
                    print(what, record);
                }
                hasAny = true;
            }
            try {
                if (hasAny) consumer.commitSync();
            } catch (org.apache.kafka.clients.consumer.CommitFailedException e) {
                // The group moved on; the records come again.
            }
        }
        synchronized (System.out) {
            System.out.println("member " + what + " " + consumer.assignment().size());
        }
        // Nobody leaves before the others have told what they were given.
        all.countDown();
        try {
            all.await();
        } catch (InterruptedException e) {
            throw new RuntimeException(e);
        }
        consumer.close();
    }
}
