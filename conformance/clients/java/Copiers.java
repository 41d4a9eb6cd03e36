import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Copies one topic to another, partition by partition, in transactions: consume, process, produce. Several copiers share
 * the work in one group; now and then one aborts, or goes away in the middle of a transaction and comes back.
 *
 *   fill BOOTSTRAP INPUT PARTITIONS COUNT      COUNT records to each partition
 *   copy BOOTSTRAP INPUT OUTPUT NAME COPIERS   until everything is copied, and the standard input has ended before; NAME
 *                                              makes the transactional ids; prints `committed` for each transaction
 *   read BOOTSTRAP TOPIC ISOLATION             the values of each partition, in order: `partition value`
 */
public class Copiers {
    static final int BATCH = 25;
    static final AtomicBoolean done = new AtomicBoolean();

    public static void main(String[] args) throws Exception {
        if (args[0].equals("fill")) fill(args[1], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]));
        else if (args[0].equals("copy")) copy(args[1], args[2], args[3], args[4], Integer.parseInt(args[5]));
        else read(args[1], args[2], args[3]);
        System.exit(0);
    }

    static Properties common(String bootstrap) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("reconnect.backoff.max.ms", "200");
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        return properties;
    }

    static void fill(String bootstrap, String topic, int partitions, int count) throws Exception {
        Properties properties = common(bootstrap);
        properties.put("enable.idempotence", "true");
        properties.put("acks", "all");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            for (int i = 0; i < count; i++) {
                for (int p = 0; p < partitions; p++) producer.send(new ProducerRecord<>(topic, p, null, p + ":" + i));
            }
            producer.flush();
        }
    }

    static KafkaConsumer<String, String> consumer(String bootstrap, String group, String isolation) {
        Properties properties = common(bootstrap);
        if (group != null) properties.put("group.id", group);
        properties.put("isolation.level", isolation);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("max.poll.records", String.valueOf(BATCH));
        properties.put("session.timeout.ms", "6000");
        properties.put("heartbeat.interval.ms", "500");
        properties.put("default.api.timeout.ms", "20000");
        return new KafkaConsumer<>(properties);
    }

    static List<TopicPartition> partitionsOf(KafkaConsumer<?, ?> consumer, String topic) {
        List<TopicPartition> partitions = new ArrayList<>();
        consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
        return partitions;
    }

    static void copy(String bootstrap, String input, String output, String name, int copiers) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < copiers; i++) {
            String id = name + "-" + i;
            Thread thread = new Thread(() -> copier(bootstrap, input, output, id));
            thread.start();
            threads.add(thread);
        }
        while (System.in.read() >= 0) { }
        try (KafkaConsumer<String, String> watcher = consumer(bootstrap, input, "read_committed")) {
            while (!isCopied(watcher, input)) Thread.sleep(200);
        }
        done.set(true);
        for (Thread thread : threads) thread.join(20_000);
        System.out.println("copied");
    }

    static boolean isCopied(KafkaConsumer<String, String> watcher, String input) {
        try {
            Map<TopicPartition, Long> ends = watcher.endOffsets(partitionsOf(watcher, input));
            Map<TopicPartition, OffsetAndMetadata> committed = watcher.committed(ends.keySet());
            return ends.entrySet().stream().allMatch(end -> {
                OffsetAndMetadata offset = committed.get(end.getKey());
                return offset != null && offset.offset() >= end.getValue();
            });
        } catch (RuntimeException error) {
            return false;
        }
    }

    /** One life after the other, until all is done. */
    static void copier(String bootstrap, String input, String output, String id) {
        Random random = new Random(id.hashCode());
        while (!done.get()) {
            KafkaProducer<String, String> producer = null;
            try (KafkaConsumer<String, String> consumer = consumer(bootstrap, input, "read_committed")) {
                Properties properties = common(bootstrap);
                properties.put("transactional.id", id);
                properties.put("transaction.timeout.ms", "10000");
                properties.put("linger.ms", "1");
                properties.put("batch.size", "200");
                properties.put("delivery.timeout.ms", "15000");
                properties.put("request.timeout.ms", "5000");
                properties.put("max.block.ms", "20000");
                producer = new KafkaProducer<>(properties);
                producer.initTransactions();
                consumer.subscribe(Collections.singletonList(input));
                while (!done.get() && live(producer, consumer, output, random)) { }
            } catch (Exception error) {
                System.err.println(id + ": " + error);
            }
            // Whoever goes away leaves what it had begun to its successor, or to the clock.
            if (producer != null) producer.close(Duration.ZERO);
        }
    }

    /** One transaction; false for a copier that goes away in the middle of it. */
    static boolean live(
        KafkaProducer<String, String> producer,
        KafkaConsumer<String, String> consumer,
        String output,
        Random random
    ) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
        if (records.isEmpty()) return true;
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) {
            producer.send(new ProducerRecord<>(output, record.partition(), null, record.value()));
            TopicPartition partition = new TopicPartition(record.topic(), record.partition());
            offsets.put(partition, new OffsetAndMetadata(record.offset() + 1));
        }
        int chance = random.nextInt(20);
        if (chance == 0) {
            producer.flush();
            return false;
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        if (chance == 1) return false;
        if (chance > 3) {
            producer.commitTransaction();
            System.out.println("committed");
            return true;
        }
        producer.abortTransaction();
        Set<TopicPartition> assigned = consumer.assignment();
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(assigned);
        for (TopicPartition partition : assigned) {
            OffsetAndMetadata offset = committed.get(partition);
            if (offset != null) consumer.seek(partition, offset.offset());
            else consumer.seekToBeginning(Collections.singletonList(partition));
        }
        return true;
    }

    static void read(String bootstrap, String topic, String isolation) {
        StringBuilder out = new StringBuilder();
        try (KafkaConsumer<String, String> consumer = consumer(bootstrap, null, isolation)) {
            List<TopicPartition> partitions = partitionsOf(consumer, topic);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    out.append(record.partition()).append(' ').append(record.value()).append('\n');
                }
            }
        }
        System.out.write(out.toString().getBytes(StandardCharsets.UTF_8), 0, out.length());
        System.out.flush();
    }
}
