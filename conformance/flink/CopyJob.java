import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaPartitioner;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A job of Flink that copies the topic `in` into one topic for each way in which the sink names its transactions, each
 * record exactly once, while this program fills `in`. Values are `partition:index`.
 *
 *   begin BOOTSTRAP DIR PARTITIONS KILLS  the job fails once by itself; then, KILLS times, prints `broker K` and fills
 *                                         on until DIR/back-K is there; then prints `job` and fills on until it is killed
 *   resume BOOTSTRAP DIR PARTITIONS       from the last checkpoint of the one above to the end of `in`; stops the job
 *                                         with a savepoint and prints how many records there are in each partition
 */
public class CopyJob {
    static final String INPUT = "in";
    static final List<TransactionNamingStrategy> NAMINGS = List.of(TransactionNamingStrategy.values());
    static final String GROUP = "flink";
    static final int BATCH = 200;
    static final long PATIENCE_MS = 150_000;
    static final AtomicBoolean failed = new AtomicBoolean();

    final String bootstrap;
    final Path dir;
    final int partitions;

    CopyJob(String bootstrap, Path dir, int partitions) {
        this.bootstrap = bootstrap;
        this.dir = dir;
        this.partitions = partitions;
    }

    public static void main(String[] args) throws Exception {
        CopyJob job = new CopyJob(args[1], Path.of(args[2]), Integer.parseInt(args[3]));
        if (args[0].equals("begin")) job.begin(Integer.parseInt(args[4]));
        else job.resume();
        System.exit(0);
    }

    static String outputOf(TransactionNamingStrategy naming) {
        return "out-" + naming.name().toLowerCase();
    }

    static int partitionOf(String value) {
        return Integer.parseInt(value.substring(0, value.indexOf(':')));
    }

    /** Throws when a record in the middle of the second batch comes for the first time. */
    static class FailsOnce implements MapFunction<String, String> {
        @Override
        public String map(String value) {
            if (value.equals("0:" + (BATCH + BATCH / 2)) && failed.compareAndSet(false, true)) {
                throw new IllegalStateException("on purpose");
            }
            return value;
        }
    }

    Configuration configuration() {
        Configuration configuration = new Configuration();
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(250));
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, dir.resolve("checkpoints").toUri().toString());
        configuration.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        configuration.set(CheckpointingOptions.TOLERABLE_FAILURE_NUMBER, 100);
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 100);
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(200));
        configuration.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(16));
        configuration.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(16));
        configuration.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(16));
        configuration.set(TaskManagerOptions.BIND_HOST, "127.0.0.1");
        configuration.set(JobManagerOptions.BIND_HOST, "127.0.0.1");
        configuration.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
        return configuration;
    }

    KafkaSink<String> sink(TransactionNamingStrategy naming) {
        String topic = outputOf(naming);
        return KafkaSink.<String>builder()
                .setBootstrapServers(bootstrap)
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionNamingStrategy(naming)
                .setTransactionalIdPrefix(topic)
                // Longer than the test: a transaction that its owner leaves open would be found hanging.
                .setProperty("transaction.timeout.ms", "600000")
                .setProperty("reconnect.backoff.max.ms", "200")
                .setRecordSerializer(KafkaRecordSerializationSchema.<String>builder()
                        .setTopic(topic)
                        .setPartitioner(
                                (KafkaPartitioner<String>) (value, keyBytes, valueBytes, to, all) -> partitionOf(value))
                        .setValueSerializationSchema(new SimpleStringSchema())
                        .build())
                .build();
    }

    JobClient start(Configuration configuration) throws Exception {
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(2, configuration);
        KafkaSource<String> source = KafkaSource.<String>builder()
                .setBootstrapServers(bootstrap)
                .setTopics(INPUT)
                .setGroupId(GROUP)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setValueOnlyDeserializer(new SimpleStringSchema())
                .setProperty("reconnect.backoff.max.ms", "200")
                .build();
        DataStream<String> records =
                environment.fromSource(source, WatermarkStrategy.noWatermarks(), "source").uid("source")
                        .map(new FailsOnce()).uid("map");
        for (TransactionNamingStrategy naming : NAMINGS) records.sinkTo(sink(naming)).uid(outputOf(naming));
        return environment.executeAsync("copy");
    }

    void begin(int kills) throws Exception {
        start(configuration());
        try (Feed feed = new Feed(); Readers readers = new Readers()) {
            feed.send(BATCH);
            // What is committed has been through a checkpoint, so the job now has one to fail back to.
            readers.await(feed.sent);
            feed.send(BATCH);
            readers.await(feed.sent);
            if (!failed.get()) throw new IllegalStateException("the job did not fail");
            for (int kill = 0; kill < kills; kill++) {
                System.out.println("broker " + kill);
                while (!Files.exists(dir.resolve("back-" + kill))) feed.sendSlowly();
                readers.await(feed.sent);
            }
            // On its way when the job is killed.
            feed.send(BATCH);
            System.out.println("job");
            for (;;) feed.sendSlowly();
        }
    }

    void resume() throws Exception {
        Configuration configuration = configuration();
        configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, lastCheckpoint().toUri().toString());
        JobClient job = start(configuration);
        try (Admin admin = Admin.create(common()); Readers readers = new Readers()) {
            Map<TopicPartition, Long> ends = endsOf(admin, INPUT, IsolationLevel.READ_UNCOMMITTED);
            readers.await(ends.values().stream().mapToLong(Long::longValue).sum());
            until("offsets of the group", () -> committedOffsets(admin).equals(ends));
            String dirOfSavepoints = dir.resolve("savepoints").toUri().toString();
            job.stopWithSavepoint(false, dirOfSavepoints, SavepointFormatType.CANONICAL)
                    .get(PATIENCE_MS, TimeUnit.MILLISECONDS);
            job.getJobExecutionResult().get(PATIENCE_MS, TimeUnit.MILLISECONDS);
            until("end of all transactions", () -> unfinished(admin) == 0);
            for (TransactionNamingStrategy naming : NAMINGS) {
                String topic = outputOf(naming);
                Map<TopicPartition, Long> all = endsOf(admin, topic, IsolationLevel.READ_UNCOMMITTED);
                if (!endsOf(admin, topic, IsolationLevel.READ_COMMITTED).equals(all)) {
                    throw new IllegalStateException("something is open in " + topic);
                }
            }
            for (int p = 0; p < partitions; p++) System.out.println(ends.get(new TopicPartition(INPUT, p)));
        }
    }

    /** The newest checkpoint that is complete: the one before it goes only when the next is there. */
    Path lastCheckpoint() throws IOException {
        try (Stream<Path> paths = Files.walk(dir.resolve("checkpoints"))) {
            return paths.filter(path -> path.endsWith("_metadata"))
                    .map(Path::getParent)
                    .max(Comparator.comparing(path -> Long.valueOf(path.getFileName().toString().substring(4))))
                    .orElseThrow();
        }
    }

    Properties common() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("reconnect.backoff.max.ms", "200");
        return properties;
    }

    static void until(String what, Callable<Boolean> condition) throws Exception {
        long deadlineMs = System.currentTimeMillis() + PATIENCE_MS;
        while (!condition.call()) {
            if (System.currentTimeMillis() > deadlineMs) throw new IllegalStateException("no " + what);
            Thread.sleep(50);
        }
    }

    Map<TopicPartition, Long> endsOf(Admin admin, String topic, IsolationLevel isolation) throws Exception {
        Map<TopicPartition, OffsetSpec> specs = IntStream.range(0, partitions).boxed()
                .collect(Collectors.toMap(p -> new TopicPartition(topic, p), p -> OffsetSpec.latest()));
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(specs, new ListOffsetsOptions(isolation)).all().get()
                .forEach((partition, info) -> ends.put(partition, info.offset()));
        return ends;
    }

    static Map<TopicPartition, Long> committedOffsets(Admin admin) throws Exception {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get()
                .forEach((partition, offset) -> offsets.put(partition, offset.offset()));
        return offsets;
    }

    static long unfinished(Admin admin) throws Exception {
        List<TransactionState> finished =
                List.of(TransactionState.EMPTY, TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT);
        return admin.listTransactions().all().get().stream()
                .filter(transaction -> !finished.contains(transaction.state()))
                .count();
    }

    /** Fills `in`. */
    class Feed implements AutoCloseable {
        final KafkaProducer<String, String> producer;
        long next = 0;
        long sent = 0;

        Feed() {
            Properties properties = common();
            properties.put("acks", "all");
            producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
        }

        void send(int count) {
            for (int i = 0; i < count; i++, next++) {
                for (int p = 0; p < partitions; p++, sent++) {
                    producer.send(new ProducerRecord<>(INPUT, p, null, p + ":" + next));
                }
            }
            producer.flush();
        }

        void sendSlowly() throws InterruptedException {
            send(5);
            Thread.sleep(20);
        }

        @Override
        public void close() {
            producer.close();
        }
    }

    /** Counts what is committed in each output. */
    class Readers implements AutoCloseable {
        final Map<KafkaConsumer<byte[], byte[]>, Long> counts = new HashMap<>();

        Readers() {
            Properties properties = common();
            properties.put("isolation.level", "read_committed");
            for (TransactionNamingStrategy naming : NAMINGS) {
                KafkaConsumer<byte[], byte[]> consumer =
                        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                List<TopicPartition> all = IntStream.range(0, partitions)
                        .mapToObj(p -> new TopicPartition(outputOf(naming), p))
                        .collect(Collectors.toList());
                consumer.assign(all);
                consumer.seekToBeginning(all);
                counts.put(consumer, 0L);
            }
        }

        void await(long total) throws Exception {
            until(total + " records in each output", () -> {
                counts.replaceAll((consumer, count) -> count + consumer.poll(Duration.ofMillis(50)).count());
                return counts.values().stream().allMatch(count -> count >= total);
            });
        }

        @Override
        public void close() {
            counts.keySet().forEach(KafkaConsumer::close);
        }
    }
}
