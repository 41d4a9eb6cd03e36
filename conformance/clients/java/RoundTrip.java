import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.IntFunction;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The round trip of ../scenario.ts with the Java client: one source for every version from 1.1 to 4.3. */
public class RoundTrip {
    static final int RECORDS = 100;
    static final int BIG_RECORDS = 3;
    static final int BIG_BYTES = 1_048_576;
    static final int GROUP_PARTITIONS = 4;
    static final long TIMEOUT_MS = 30_000;

    final String bootstrap;
    final String prefix;
    final String[] codecs;
    final long startMs;

    RoundTrip(String[] args) {
        bootstrap = args[0];
        prefix = args[1];
        codecs = args[2].split(",");
        startMs = Long.parseLong(args[3]);
    }

    public static void main(String[] args) throws Exception {
        System.out.println(new RoundTrip(args).report());
        System.exit(0);
    }

    /** A record without its topic. */
    static final class Data {
        final byte[] key;
        final byte[] value;
        final List<Header> headers = new ArrayList<>();
        Long timestamp;

        Data(byte[] key, byte[] value) {
            this.key = key;
            this.value = value;
        }
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static Data smallRecord(int i) {
        byte[] value = new byte[(i * 37) % 300];
        for (int j = 0; j < value.length; j++) value[j] = (byte) (i * 31 + j * 17);
        boolean noKey = i % 5 == 4 && i % 7 != 6;
        Data data = new Data(noKey ? null : utf8("key-" + i), i % 7 == 6 ? null : value);
        if (i % 3 == 0) {
            data.headers.add(new RecordHeader("h", utf8("v" + i)));
            data.headers.add(new RecordHeader("h", utf8("w" + i)));
        }
        return data;
    }

    static Data bigRecord(int i) {
        byte[] value = new byte[BIG_BYTES];
        for (int j = 0; j < value.length; j++) value[j] = (byte) (i + j * 7 + (j >> 8) * 13);
        return new Data(utf8("key-" + i), value);
    }

    static String hex(byte[] bytes) {
        if (bytes == null) return "-";
        StringBuilder text = new StringBuilder(bytes.length * 2);
        for (byte b : bytes) {
            text.append(Character.forDigit((b >> 4) & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return text.toString();
    }

    static String line(ConsumerRecord<byte[], byte[]> record) {
        List<String> headers = new ArrayList<>();
        for (Header header : record.headers()) headers.add(header.key() + "=" + hex(header.value()));
        return record.offset() + "|" + hex(record.key()) + "|" + hex(record.value()) + "|" + String.join(";", headers) + "\n";
    }

    static String digest(Collection<String> lines) throws Exception {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        for (String line : lines) sha.update(utf8(line));
        return hex(sha.digest());
    }

    Properties common() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        try (AdminClient admin = AdminClient.create(common())) {
            NewTopic request = new NewTopic(topic, partitions, (short) 1).configs(configs);
            admin.createTopics(Collections.singleton(request)).all().get(TIMEOUT_MS, TimeUnit.MILLISECONDS);
        }
    }

    /** Produces record i to partition i % partitions; returns the lines `i:partition:offset`. */
    List<String> produce(String topic, String codec, int partitions, int count, IntFunction<Data> make) throws Exception {
        Properties properties = common();
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        properties.put("compression.type", codec);
        properties.put("max.request.size", "1200000");
        properties.put("linger.ms", "5");
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        List<String> lines = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int i = 0; i < count; i++) {
                Data data = make.apply(i);
                futures.add(producer.send(
                    new ProducerRecord<>(topic, i % partitions, data.timestamp, data.key, data.value, data.headers)));
            }
            producer.flush();
            for (int i = 0; i < count; i++) {
                RecordMetadata metadata = futures.get(i).get(TIMEOUT_MS, TimeUnit.MILLISECONDS);
                lines.add(i + ":" + metadata.partition() + ":" + metadata.offset() + "\n");
            }
        }
        return lines;
    }

    KafkaConsumer<byte[], byte[]> consumer(String group) {
        Properties properties = common();
        properties.put("group.id", group);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("session.timeout.ms", "10000");
        properties.put("heartbeat.interval.ms", "300");
        properties.put("fetch.max.wait.ms", "100");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** poll(long) ended with 3.9, poll(Duration) began with 2.0. */
    @SuppressWarnings("unchecked")
    static ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer, long timeoutMs) throws Exception {
        for (Method method : KafkaConsumer.class.getMethods()) {
            if (!method.getName().equals("poll") || method.getParameterCount() != 1) continue;
            boolean takesLong = method.getParameterTypes()[0] == long.class;
            if (takesLong && method.isAnnotationPresent(Deprecated.class)) continue;
            Object timeout = takesLong ? (Object) timeoutMs : java.time.Duration.ofMillis(timeoutMs);
            try {
                return (ConsumerRecords<byte[], byte[]>) method.invoke(consumer, timeout);
            } catch (java.lang.reflect.InvocationTargetException e) {
                throw (Exception) e.getCause();
            }
        }
        throw new IllegalStateException("no poll");
    }

    String topicReport(String topic, String codec, int count, IntFunction<Data> make) throws Exception {
        List<String> acked = produce(topic, codec, 2, count, make);
        List<TopicPartition> assigned = Arrays.asList(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
        List<List<String>> lines = Arrays.asList(new ArrayList<>(), new ArrayList<>());
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(prefix + "-reader")) {
            consumer.assign(assigned);
            consumer.seekToBeginning(assigned);
            long deadline = System.currentTimeMillis() + TIMEOUT_MS;
            while (lines.get(0).size() + lines.get(1).size() < count && System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : poll(consumer, 500)) {
                    lines.get(record.partition()).add(line(record));
                }
            }
        }
        List<String> partitions = new ArrayList<>();
        for (int p = 0; p < 2; p++) {
            partitions.add("\"" + p + "\":{\"count\":" + lines.get(p).size() + ",\"sha\":\"" + digest(lines.get(p)) + "\"}");
        }
        return "{\"acked\":\"" + digest(acked) + "\",\"partitions\":{" + String.join(",", partitions) + "}}";
    }

    /** A group member on a thread of its own. */
    final class Member extends Thread {
        final KafkaConsumer<byte[], byte[]> consumer;
        final Set<String> seen = new ConcurrentSkipListSet<>();
        volatile List<Integer> assignment = new ArrayList<>();
        volatile boolean leaving;
        volatile Exception failure;

        Member(String topic, String group) {
            consumer = consumer(group);
            consumer.subscribe(Collections.singleton(topic));
            setDaemon(true);
            start();
        }

        @Override
        public void run() {
            try {
                while (!leaving) step();
                consumer.close();
            } catch (Exception e) {
                failure = e;
            }
        }

        void step() throws Exception {
            ConsumerRecords<byte[], byte[]> records = poll(consumer, 100);
            for (ConsumerRecord<byte[], byte[]> record : records) seen.add(record.partition() + ":" + record.offset());
            List<Integer> now = new ArrayList<>();
            for (TopicPartition partition : consumer.assignment()) now.add(partition.partition());
            Collections.sort(now);
            assignment = now;
            try {
                if (!records.isEmpty()) consumer.commitSync();
            } catch (KafkaException e) {
                String name = e.getClass().getSimpleName();
                // The records come again after the rebalance.
                if (!name.equals("CommitFailedException") && !name.equals("RebalanceInProgressException")) throw e;
            }
        }

        void leave() throws Exception {
            leaving = true;
            join();
            if (failure != null) throw failure;
        }
    }

    static void until(String what, BooleanSupplier condition) throws Exception {
        long deadline = System.currentTimeMillis() + TIMEOUT_MS;
        while (!condition.getAsBoolean()) {
            if (System.currentTimeMillis() > deadline) throw new IllegalStateException("timed out: " + what);
            Thread.sleep(20);
        }
    }

    static Set<String> union(Member a, Member b) {
        Set<String> all = new ConcurrentSkipListSet<>(a.seen);
        all.addAll(b.seen);
        return all;
    }

    static String quoted(Collection<String> texts) {
        List<String> parts = new ArrayList<>();
        for (String text : texts) parts.add("\"" + text + "\"");
        return "[" + String.join(",", parts) + "]";
    }

    void produceToGroup(String topic, int count) throws Exception {
        produce(topic, "none", GROUP_PARTITIONS, count, i -> new Data(utf8("key-" + i), utf8("v")));
    }

    String committed(String topic, String group) {
        List<String> parts = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> checker = consumer(group)) {
            for (int p = 0; p < GROUP_PARTITIONS; p++) {
                parts.add("\"" + p + "\":" + committedOffset(checker, new TopicPartition(topic, p)));
            }
        }
        return "{" + String.join(",", parts) + "}";
    }

    /** committed(TopicPartition) ended with 3.9, committed(Set) began with 2.4. */
    @SuppressWarnings("unchecked")
    static long committedOffset(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition) {
        try {
            try {
                Method many = KafkaConsumer.class.getMethod("committed", Set.class);
                Object found = many.invoke(consumer, Collections.singleton(partition));
                return ((Map<TopicPartition, OffsetAndMetadata>) found).get(partition).offset();
            } catch (NoSuchMethodException e) {
                Method one = KafkaConsumer.class.getMethod("committed", TopicPartition.class);
                return ((OffsetAndMetadata) one.invoke(consumer, partition)).offset();
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    String groupReport() throws Exception {
        String topic = prefix + "-group";
        create(topic, GROUP_PARTITIONS, Collections.emptyMap());
        produceToGroup(topic, 200);
        Member a = new Member(topic, topic);
        until("A alone", () -> a.assignment.size() == 4);
        String alone = a.assignment.toString();
        Member b = new Member(topic, topic);
        until("A and B", () -> a.assignment.size() == 2 && b.assignment.size() == 2);
        String together = "[" + a.assignment + "," + b.assignment + "]";
        produceToGroup(topic, 200);
        until("all records", () -> union(a, b).size() == 400);
        b.leave();
        until("A after B", () -> a.assignment.size() == 4);
        String left = a.assignment.toString();
        a.leave();
        String committed = committed(topic, topic);
        produceToGroup(topic, 40);
        Member c = new Member(topic, topic);
        until("resumed", () -> c.seen.size() >= 40);
        c.leave();
        List<String> seen = new ArrayList<>();
        for (String entry : union(a, b)) seen.add(entry + "\n");
        return "{\"alone\":" + alone + ",\"together\":" + together + ",\"left\":" + left + ",\"seen\":\"" + digest(seen)
            + "\",\"committed\":" + committed + ",\"resumed\":" + quoted(c.seen) + "}";
    }

    String readFrom(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long offset) throws Exception {
        consumer.assign(Collections.singleton(partition));
        consumer.seek(partition, offset);
        long deadline = System.currentTimeMillis() + TIMEOUT_MS;
        while (System.currentTimeMillis() < deadline) {
            for (ConsumerRecord<byte[], byte[]> first : poll(consumer, 500)) {
                return first.offset() + ":" + (first.timestamp() - startMs);
            }
        }
        throw new IllegalStateException("nothing at " + offset);
    }

    String timesReport() throws Exception {
        String topic = prefix + "-times";
        create(topic, 1, Collections.emptyMap());
        produce(topic, codecs[codecs.length - 1], 1, RECORDS, i -> {
            Data data = new Data(null, utf8("v"));
            data.timestamp = startMs + 1000L * i;
            return data;
        });
        Map<String, Long> asked = new TreeMap<>();
        asked.put("first", startMs);
        asked.put("middle", startMs + 49_500);
        asked.put("after", startMs + 100_000);
        List<String> parts = new ArrayList<>();
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(prefix + "-reader")) {
            for (Map.Entry<String, Long> entry : asked.entrySet()) {
                Map<TopicPartition, Long> query = Collections.singletonMap(partition, entry.getValue());
                OffsetAndTimestamp found = consumer.offsetsForTimes(query).get(partition);
                parts.add("\"" + entry.getKey() + "\":" + (found == null ? "null" : String.valueOf(found.offset())));
                if (entry.getKey().equals("middle")) parts.add("\"sought\":\"" + readFrom(consumer, partition, found.offset()) + "\"");
            }
        }
        return "{" + String.join(",", parts) + "}";
    }

    String report() throws Exception {
        List<String> reports = new ArrayList<>();
        for (String codec : codecs) {
            create(prefix + "-" + codec, 2, Collections.emptyMap());
            reports.add("\"" + codec + "\":" + topicReport(prefix + "-" + codec, codec, RECORDS, RoundTrip::smallRecord));
        }
        Map<String, String> large = new HashMap<>();
        large.put("max.message.bytes", "1100000");
        create(prefix + "-big", 2, large);
        String big = topicReport(prefix + "-big", "none", BIG_RECORDS, RoundTrip::bigRecord);
        return "{\"codecs\":{" + String.join(",", reports) + "},\"big\":" + big + ",\"times\":" + timesReport()
            + ",\"group\":" + groupReport() + "}";
    }
}
