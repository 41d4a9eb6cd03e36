import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Members of one share group accept every record of a topic, and release some first, while their broker is killed. They keep
 * a ledger: what came, and what the broker has confirmed. Ends when the standard input has, and the group has no lag any more.
 *
 *   fill BOOTSTRAP TOPIC PARTITIONS COUNT   COUNT records to each partition of a new topic
 *   run BOOTSTRAP TOPIC PARTITIONS          three members of the group TOPIC; prints `confirmed N` as it goes on, and at
 *                                           last `delivered N`, the number of different values, or what is wrong
 */
public class ShareLedger {
    static final int MEMBERS = 3;
    static final int MAX_RECORDS = 20;
    static final AtomicInteger confirmedCount = new AtomicInteger();
    static final AtomicBoolean done = new AtomicBoolean();
    static final Set<String> delivered = ConcurrentHashMap.newKeySet();
    static final Set<String> confirmed = ConcurrentHashMap.newKeySet();
    static final Set<String> twice = ConcurrentHashMap.newKeySet();

    public static void main(String[] args) throws Exception {
        if (args[0].equals("fill")) fill(args[1], args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]));
        else run(args[1], args[2], Integer.parseInt(args[3]));
        System.exit(0);
    }

    static void fill(String bootstrap, String topic, int partitions, int count) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        try (Admin admin = Admin.create(config)) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        }
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < count; i++) {
                for (int p = 0; p < partitions; p++) producer.send(new ProducerRecord<>(topic, p, null, p + ":" + i));
            }
        }
    }

    static void configure(Admin admin, String group) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        AlterConfigOp earliest =
            new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
        AlterConfigOp often =
            new AlterConfigOp(new ConfigEntry("share.delivery.count.limit", "10"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(earliest, often))).all().get();
    }

    static KafkaShareConsumer<String, String> consumer(String bootstrap, String group) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("share.acknowledgement.mode", "explicit");
        // Nothing is fetched ahead: what a poll gives was acquired for it.
        properties.put("share.acquire.mode", "record_limit");
        properties.put("max.poll.records", String.valueOf(MAX_RECORDS));
        properties.put("reconnect.backoff.max.ms", "200");
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(properties);
        consumer.subscribe(List.of(group));
        return consumer;
    }

    static void run(String bootstrap, String topic, int partitions) throws Exception {
        List<Thread> threads = new ArrayList<>();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            configure(admin, topic);
            for (int i = 0; i < MEMBERS; i++) {
                Random random = new Random(i);
                Thread thread = new Thread(() -> consume(bootstrap, topic, random));
                thread.start();
                threads.add(thread);
            }
            while (System.in.read() >= 0) { }
            while (!isAtEnd(admin, topic, partitions)) Thread.sleep(100);
        }
        done.set(true);
        for (Thread thread : threads) thread.join();
        if (!twice.isEmpty()) System.out.println("accepted twice: " + twice);
        else System.out.println("delivered " + delivered.size());
    }

    /** Whether the group has nothing left to read in any of the partitions. */
    static boolean isAtEnd(Admin admin, String topic, int partitions) {
        try {
            Map<TopicPartition, SharePartitionOffsetInfo> offsets =
                admin.listShareGroupOffsets(Map.of(topic, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(topic).get();
            long finished = offsets.values().stream().filter(info -> info != null && info.lag().orElse(1L) == 0).count();
            return finished == partitions;
        } catch (Exception notNow) {
            return false;
        }
    }

    static void consume(String bootstrap, String topic, Random random) {
        try (KafkaShareConsumer<String, String> consumer = consumer(bootstrap, topic)) {
            while (!done.get()) {
                Map<Integer, List<String>> accepted = new HashMap<>();
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    delivered.add(record.value());
                    boolean isReleased = random.nextInt(10) == 0 && record.deliveryCount().orElse((short) 9) < 4;
                    consumer.acknowledge(record, isReleased ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                    if (!isReleased) {
                        accepted.computeIfAbsent(record.partition(), p -> new ArrayList<>()).add(record.value());
                    }
                }
                if (!accepted.isEmpty()) confirm(consumer.commitSync(Duration.ofSeconds(20)), accepted);
            }
        } catch (KafkaException failure) {
            System.out.println("a member failed: " + failure);
        }
    }

    /** What is confirmed is done with: the broker must never confirm it for anybody else. */
    static void confirm(Map<TopicIdPartition, Optional<KafkaException>> outcomes, Map<Integer, List<String>> accepted) {
        outcomes.forEach((partition, failure) -> {
            if (failure.isPresent()) return;
            for (String value : accepted.getOrDefault(partition.partition(), List.of())) {
                if (!confirmed.add(value)) twice.add(value);
                int count = confirmedCount.incrementAndGet();
                if (count % 10 == 0) System.out.println("confirmed " + count);
            }
        });
    }
}
