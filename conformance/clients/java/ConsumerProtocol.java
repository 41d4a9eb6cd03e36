import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Consumers with group.protocol=consumer (KIP-848): two members share a topic, one leaves, another goes on where it was;
 * a regular expression; a static member that restarts; a classic member that joins and stays alone. Prints what it saw.
 */
public class ConsumerProtocol {
    static final int PARTITIONS = 4;
    static final int RECORDS = 40;
    static final long TIMEOUT_MS = 60_000;

    final String bootstrap;
    final String prefix;
    final Admin admin;

    ConsumerProtocol(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] args) throws Exception {
        ConsumerProtocol story = new ConsumerProtocol(args[0], args[1]);
        story.shared();
        story.matched();
        story.fixed();
        story.migrated();
        story.admin.close();
        System.exit(0);
    }

    KafkaConsumer<String, String> consumer(String group, String protocol, String instanceId) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("group.protocol", protocol);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("metadata.max.age.ms", "1000");
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        if (instanceId != null) properties.put("group.instance.id", instanceId);
        return new KafkaConsumer<>(properties);
    }

    void fill(String topic) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < RECORDS; i++) producer.send(new ProducerRecord<>(topic, i % PARTITIONS, "k", "v" + i));
        }
    }

    void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }

    /** Polls all consumers in turn until the condition holds; answers the values that came. */
    List<String> pollUntil(BooleanSupplier condition, List<KafkaConsumer<String, String>> consumers) {
        List<String> values = new ArrayList<>();
        long deadline = System.currentTimeMillis() + TIMEOUT_MS;
        while (!condition.getAsBoolean()) {
            if (System.currentTimeMillis() > deadline) throw new IllegalStateException("it did not come to that");
            for (KafkaConsumer<String, String> each : consumers) {
                for (ConsumerRecord<String, String> record : each.poll(Duration.ofMillis(50))) values.add(record.value());
            }
        }
        return values;
    }

    @SafeVarargs
    static List<KafkaConsumer<String, String>> all(KafkaConsumer<String, String>... consumers) {
        return Arrays.asList(consumers);
    }

    void shared() throws Exception {
        String topic = prefix + "-shared";
        create(topic, PARTITIONS);
        fill(topic);
        KafkaConsumer<String, String> a = consumer(topic, "consumer", null);
        KafkaConsumer<String, String> b = consumer(topic, "consumer", null);
        a.subscribe(List.of(topic));
        pollUntil(() -> a.assignment().size() == PARTITIONS, all(a));
        b.subscribe(List.of(topic));
        pollUntil(() -> a.assignment().size() == 2 && b.assignment().size() == 2, all(a, b));
        ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(topic)).all().get().get(topic);
        System.out.println("shared " + described.groupState() + " " + described.type() + " " + described.members().size());
        a.seekToBeginning(a.assignment());
        b.seekToBeginning(b.assignment());
        Set<String> seen = new TreeSet<>();
        long deadline = System.currentTimeMillis() + TIMEOUT_MS;
        while (seen.size() < RECORDS && System.currentTimeMillis() < deadline) {
            for (KafkaConsumer<String, String> each : all(a, b)) {
                for (ConsumerRecord<String, String> record : each.poll(Duration.ofMillis(50))) seen.add(record.value());
            }
        }
        System.out.println("seen " + seen.size());
        a.commitSync();
        b.commitSync();
        b.close();
        pollUntil(() -> a.assignment().size() == PARTITIONS, all(a));
        a.commitSync();
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(PARTITIONS + 1))).all().get();
        pollUntil(() -> a.assignment().size() == PARTITIONS + 1, all(a));
        a.close();
        KafkaConsumer<String, String> c = consumer(topic, "consumer", null);
        c.subscribe(List.of(topic));
        List<String> again = pollUntil(() -> c.assignment().size() == PARTITIONS + 1, all(c));
        c.poll(Duration.ofMillis(500)).forEach(record -> again.add(record.value()));
        System.out.println("again " + again.size());
        c.close();
    }

    void matched() throws Exception {
        String topic = prefix + "-matched";
        create(topic + "-1", 1);
        KafkaConsumer<String, String> a = consumer(topic, "consumer", null);
        a.subscribe(new SubscriptionPattern(topic + "-[0-9]+"));
        pollUntil(() -> a.assignment().size() == 1, all(a));
        System.out.println("matched " + a.assignment().size());
        a.close();
        KafkaConsumer<String, String> b = consumer(topic + "-bad", "consumer", null);
        b.subscribe(new SubscriptionPattern("("));
        try {
            pollUntil(() -> false, all(b));
        } catch (org.apache.kafka.common.errors.InvalidRegularExpression expected) {
            System.out.println("refused");
        }
        b.close();
    }

    void fixed() throws Exception {
        String topic = prefix + "-fixed";
        create(topic, 2);
        KafkaConsumer<String, String> a = consumer(topic, "consumer", "i1");
        KafkaConsumer<String, String> b = consumer(topic, "consumer", "i2");
        a.subscribe(List.of(topic));
        b.subscribe(List.of(topic));
        pollUntil(() -> a.assignment().size() == 1 && b.assignment().size() == 1, all(a, b));
        Set<TopicPartition> had = Set.copyOf(b.assignment());
        b.close();
        KafkaConsumer<String, String> again = consumer(topic, "consumer", "i2");
        again.subscribe(List.of(topic));
        pollUntil(() -> again.assignment().size() == 1, all(a, again));
        System.out.println("fixed " + again.assignment().equals(had));
        a.close();
        again.close();
    }

    void migrated() throws Exception {
        String topic = prefix + "-migrated";
        create(topic, 2);
        KafkaConsumer<String, String> a = consumer(topic, "classic", null);
        a.subscribe(List.of(topic));
        pollUntil(() -> a.assignment().size() == 2, all(a));
        KafkaConsumer<String, String> b = consumer(topic, "consumer", null);
        b.subscribe(List.of(topic));
        pollUntil(() -> a.assignment().size() == 1 && b.assignment().size() == 1, all(a, b));
        System.out.println("mixed " + typeOf(topic));
        b.close();
        pollUntil(() -> a.assignment().size() == 2, all(a));
        System.out.println("back " + typeOf(topic));
        a.close();
    }

    GroupType typeOf(String group) throws ExecutionException, InterruptedException {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group).type();
    }
}
