import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What KafkaShareConsumer can do (KIP-932, KIP-1206, KIP-1222), one chapter after the other, each with a topic of one
 * partition and a group of its own. Prints a line or two for each. Wherever nothing more is to come, a last record shows it.
 */
public class ShareStory {
    static final long TIMEOUT_MS = 60_000;
    static final String LAST = "last";

    final String bootstrap;
    final Admin admin;
    final KafkaProducer<String, String> producer;

    ShareStory(String bootstrap) {
        this.bootstrap = bootstrap;
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        this.admin = Admin.create(config);
        this.producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    public static void main(String[] args) throws Exception {
        ShareStory story = new ShareStory(args[0]);
        story.implicit();
        story.explicit();
        story.shared();
        story.modes();
        story.locked();
        story.renewed();
        story.limited();
        story.left();
        story.producer.close();
        story.admin.close();
        System.exit(0);
    }

    /** A topic and its group. */
    void begin(String name, Map<String, String> settings) throws Exception {
        admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get();
        Map<String, String> all = new HashMap<>(settings);
        all.put("share.auto.offset.reset", "earliest");
        Collection<AlterConfigOp> ops = new ArrayList<>();
        all.forEach((key, value) -> ops.add(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, name), ops)).all().get();
    }

    void send(String topic, String... values) {
        for (String value : values) producer.send(new ProducerRecord<>(topic, 0, "k", value));
        producer.flush();
    }

    void sendMany(String topic, int count) {
        for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, 0, "k", "v" + i));
        producer.flush();
    }

    KafkaShareConsumer<String, String> consumer(String name, String... more) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", name);
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        for (int i = 0; i < more.length; i += 2) properties.put(more[i], more[i + 1]);
        KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(properties);
        consumer.subscribe(List.of(name));
        return consumer;
    }

    KafkaShareConsumer<String, String> explicit(String name, String... more) {
        String[] all = new String[more.length + 2];
        System.arraycopy(more, 0, all, 0, more.length);
        all[more.length] = "share.acknowledgement.mode";
        all[more.length + 1] = "explicit";
        return consumer(name, all);
    }

    static ConsumerRecords<String, String> poll(KafkaShareConsumer<String, String> consumer) {
        return consumer.poll(Duration.ofMillis(200));
    }

    static void until(BooleanSupplier condition, Runnable step) {
        long deadline = System.currentTimeMillis() + TIMEOUT_MS;
        while (!condition.getAsBoolean()) {
            if (System.currentTimeMillis() > deadline) throw new IllegalStateException("it did not come to that");
            step.run();
        }
    }

    /** The next records that come, at least one. */
    static List<ConsumerRecord<String, String>> next(KafkaShareConsumer<String, String> consumer) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        until(() -> !records.isEmpty(), () -> poll(consumer).forEach(records::add));
        return records;
    }

    static String seen(ConsumerRecord<String, String> record) {
        return record.value() + "#" + record.deliveryCount().get();
    }

    /** What the commit said, for the only partition. */
    static String commit(KafkaShareConsumer<String, String> consumer) {
        List<String> outcomes = new ArrayList<>();
        for (var outcome : consumer.commitSync(Duration.ofSeconds(30)).values()) {
            outcomes.add(outcome.map(error -> error.getClass().getSimpleName()).orElse("ok"));
        }
        return String.join(",", outcomes);
    }

    /** Takes and accepts all that comes until the last record. */
    static List<String> rest(KafkaShareConsumer<String, String> consumer, boolean isExplicit) {
        List<String> values = new ArrayList<>();
        until(() -> !values.isEmpty() && values.get(values.size() - 1).startsWith(LAST), () -> {
            for (ConsumerRecord<String, String> record : poll(consumer)) {
                values.add(seen(record));
                if (isExplicit) consumer.acknowledge(record);
            }
        });
        consumer.commitSync(Duration.ofSeconds(30));
        return values;
    }

    void implicit() throws Exception {
        begin("implicit", Map.of());
        sendMany("implicit", 20);
        Set<String> values = new TreeSet<>();
        try (KafkaShareConsumer<String, String> first = consumer("implicit")) {
            until(() -> values.size() == 20, () -> poll(first).forEach(record -> values.add(record.value())));
            System.out.println("implicit " + values.size() + " " + commit(first));
        }
        try (KafkaShareConsumer<String, String> second = consumer("implicit")) {
            send("implicit", LAST);
            System.out.println("implicit again " + rest(second, false));
        }
    }

    void explicit() throws Exception {
        begin("explicit", Map.of());
        send("explicit", "a", "b", "c", "d");
        try (KafkaShareConsumer<String, String> consumer = explicit("explicit")) {
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            until(() -> records.size() == 4, () -> {
                for (ConsumerRecord<String, String> record : poll(consumer)) {
                    records.add(record);
                    boolean isReleased = record.value().equals("b") && record.deliveryCount().get() == 1;
                    boolean isRejected = record.value().equals("c");
                    if (isReleased) consumer.acknowledge(record, AcknowledgeType.RELEASE);
                    else if (isRejected) consumer.acknowledge(record, AcknowledgeType.REJECT);
                    else consumer.acknowledge(record, AcknowledgeType.ACCEPT);
                }
            });
            System.out.println("explicit " + commit(consumer));
            send("explicit", LAST);
            System.out.println("explicit again " + rest(consumer, true));
        }
        begin("unacknowledged", Map.of());
        send("unacknowledged", "a");
        try (KafkaShareConsumer<String, String> consumer = explicit("unacknowledged")) {
            ConsumerRecord<String, String> record = next(consumer).get(0);
            try {
                poll(consumer);
                System.out.println("unacknowledged and polled");
            } catch (IllegalStateException expected) {
                System.out.println("unacknowledged refused");
            }
            consumer.acknowledge(record);
            System.out.println("unacknowledged " + commit(consumer));
        }
    }

    /** Three members of one partition. */
    void shared() throws Exception {
        begin("shared", Map.of());
        List<KafkaShareConsumer<String, String>> members = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            members.add(consumer("shared", "share.acquire.mode", "record_limit", "max.poll.records", "10"));
        }
        until(() -> memberCount("shared") == 3, () -> members.forEach(ShareStory::poll));
        sendMany("shared", 300);
        Map<String, Integer> deliveries = new TreeMap<>();
        Set<Integer> busy = new TreeSet<>();
        until(() -> deliveries.size() == 300 && busy.size() == 3, () -> {
            for (int i = 0; i < 3; i++) {
                for (ConsumerRecord<String, String> record : poll(members.get(i))) {
                    deliveries.merge(record.value(), 1, Integer::sum);
                    busy.add(i);
                }
            }
        });
        for (KafkaShareConsumer<String, String> member : members) member.close();
        int most = deliveries.values().stream().max(Integer::compare).get();
        System.out.println("shared " + deliveries.size() + " by " + busy.size() + ", each " + most);
    }

    int memberCount(String group) {
        try {
            return admin.describeShareGroups(List.of(group)).all().get().get(group).members().size();
        } catch (Exception notYet) {
            return 0;
        }
    }

    /** A batch of ten records, and at most three wanted. */
    void modes() throws Exception {
        for (String mode : List.of("record_limit", "batch_optimized")) {
            begin(mode, Map.of());
            Map<String, Object> config =
                Map.of("bootstrap.servers", bootstrap, "linger.ms", 10_000, "batch.size", 1_000_000);
            try (KafkaProducer<String, String> batching =
                    new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
                for (int i = 0; i < 10; i++) batching.send(new ProducerRecord<>(mode, 0, "k", "v" + i));
            }
            List<Integer> sizes = new ArrayList<>();
            try (KafkaShareConsumer<String, String> consumer =
                    consumer(mode, "share.acquire.mode", mode, "max.poll.records", "3")) {
                until(() -> sizes.stream().mapToInt(Integer::intValue).sum() == 10, () -> {
                    int count = poll(consumer).count();
                    if (count > 0) sizes.add(count);
                });
            }
            System.out.println(mode + " " + sizes);
        }
    }

    /** Records come again when their locks have ended; then it is too late. */
    void locked() throws Exception {
        begin("locked", Map.of("share.record.lock.duration.ms", "1000"));
        send("locked", "a");
        try (KafkaShareConsumer<String, String> slow = explicit("locked");
                KafkaShareConsumer<String, String> quick = explicit("locked")) {
            ConsumerRecord<String, String> first = next(slow).get(0);
            List<ConsumerRecord<String, String>> again = next(quick);
            System.out.println("locked " + seen(first) + " " + (again.get(0).deliveryCount().get() > 1));
            slow.acknowledge(first);
            System.out.println("locked late " + commit(slow));
        }
    }

    /** A renewed record stays where it is, and comes out of the next poll. */
    void renewed() throws Exception {
        begin("renewed", Map.of());
        send("renewed", "a");
        try (KafkaShareConsumer<String, String> consumer = explicit("renewed")) {
            List<Exception> failures = new ArrayList<>();
            consumer.setAcknowledgementCommitCallback((offsets, failure) -> {
                if (failure != null) failures.add(failure);
            });
            List<String> seen = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                ConsumerRecord<String, String> record = next(consumer).get(0);
                seen.add(seen(record));
                consumer.acknowledge(record, AcknowledgeType.RENEW);
            }
            ConsumerRecord<String, String> record = next(consumer).get(0);
            consumer.acknowledge(record, AcknowledgeType.ACCEPT);
            System.out.println("renewed " + seen + " " + commit(consumer) + " " + failures);
            send("renewed", LAST);
            System.out.println("renewed again " + rest(consumer, true));
        }
    }

    void limited() throws Exception {
        begin("limited", Map.of("share.delivery.count.limit", "3"));
        send("limited", "a");
        try (KafkaShareConsumer<String, String> consumer = explicit("limited")) {
            List<String> seen = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                ConsumerRecord<String, String> record = next(consumer).get(0);
                seen.add(seen(record));
                consumer.acknowledge(record, AcknowledgeType.RELEASE);
                consumer.commitSync(Duration.ofSeconds(30));
            }
            send("limited", LAST);
            System.out.println("limited " + seen + " " + rest(consumer, true));
        }
    }

    /** Who closes gives back what it has not acknowledged. */
    void left() throws Exception {
        begin("left", Map.of());
        send("left", "a", "b");
        try (KafkaShareConsumer<String, String> first = explicit("left")) {
            first.acknowledge(next(first).get(0));
        }
        try (KafkaShareConsumer<String, String> second = explicit("left")) {
            send("left", LAST);
            List<String> rest = rest(second, true);
            System.out.println("left " + rest.get(0).charAt(0) + " " + rest.size());
        }
    }
}
