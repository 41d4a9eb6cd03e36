import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Prints what a broker holds, as lines that are equal if and only if the contents are: per partition its topic id, first
 * and last offset, number of records, and a digest of offsets, timestamps, keys, values and headers; per group its
 * committed offsets.
 */
public class Fingerprint {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("enable.auto.commit", "false");
        // A fetch that waits holds up the next topic.
        properties.put("fetch.max.wait.ms", "10");
        try (Admin admin = Admin.create(properties);
            KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Collection<String> topics = new TreeSet<>(admin.listTopics().names().get());
            for (TopicDescription topic : new TreeMap<>(admin.describeTopics(topics).allTopicNames().get()).values()) {
                List<TopicPartition> partitions = new ArrayList<>();
                for (int p = 0; p < topic.partitions().size(); p++) partitions.add(new TopicPartition(topic.name(), p));
                print(topic, partitions, consumer);
            }
            Collection<String> groups = new TreeSet<>();
            for (GroupListing group : admin.listGroups().all().get()) groups.add(group.groupId());
            for (String group : groups) printGroup(group, admin);
        }
        System.exit(0);
    }

    static void print(TopicDescription topic, List<TopicPartition> partitions, KafkaConsumer<byte[], byte[]> consumer)
        throws Exception {
        Map<TopicPartition, Long> first = consumer.beginningOffsets(partitions);
        Map<TopicPartition, Long> end = consumer.endOffsets(partitions);
        Map<TopicPartition, MessageDigest> digests = new HashMap<>();
        Map<TopicPartition, Integer> counts = new HashMap<>();
        for (TopicPartition partition : partitions) {
            digests.put(partition, MessageDigest.getInstance("SHA-256"));
            counts.put(partition, 0);
        }
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        long deadline = System.currentTimeMillis() + 30_000;
        while (!caughtUp(consumer, end)) {
            if (System.currentTimeMillis() > deadline) throw new IllegalStateException("stuck in " + topic.name());
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                counts.merge(partition, 1, Integer::sum);
                add(digests.get(partition), record);
            }
        }
        for (TopicPartition partition : partitions) {
            System.out.println(partition + " " + topic.topicId() + " " + first.get(partition) + " " + end.get(partition) + " "
                + counts.get(partition) + " " + hex(digests.get(partition).digest()));
        }
    }

    static boolean caughtUp(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> end) {
        for (Map.Entry<TopicPartition, Long> entry : end.entrySet()) {
            if (consumer.position(entry.getKey()) < entry.getValue()) return false;
        }
        return true;
    }

    static void add(MessageDigest digest, ConsumerRecord<byte[], byte[]> record) {
        add(digest, record.offset() + "|" + record.timestampType() + "|" + record.timestamp());
        add(digest, record.key());
        add(digest, record.value());
        for (Header header : record.headers()) {
            add(digest, header.key());
            add(digest, header.value());
        }
    }

    static void add(MessageDigest digest, String text) {
        add(digest, text.getBytes(StandardCharsets.UTF_8));
    }

    static void add(MessageDigest digest, byte[] bytes) {
        digest.update(((bytes == null ? -1 : bytes.length) + ";").getBytes(StandardCharsets.UTF_8));
        if (bytes != null) digest.update(bytes);
    }

    static void printGroup(String group, Admin admin) throws Exception {
        Map<String, ListConsumerGroupOffsetsSpec> spec = Map.of(group, new ListConsumerGroupOffsetsSpec());
        Map<TopicPartition, OffsetAndMetadata> offsets =
            admin.listConsumerGroupOffsets(spec).partitionsToOffsetAndMetadata(group).get();
        Map<String, OffsetAndMetadata> sorted = new TreeMap<>();
        offsets.forEach((partition, offset) -> sorted.put(partition.toString(), offset));
        sorted.forEach((partition, offset) -> System.out.println(
            "group " + group + " " + partition + " " + offset.offset() + " " + offset.leaderEpoch() + " " + offset.metadata()));
    }

    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) text.append(String.format("%02x", b));
        return text.toString();
    }
}
