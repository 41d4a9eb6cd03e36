import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What stands around a Streams application: it writes its input and reads its output, while brokers come and go.
 *
 *   Driver BOOTSTRAP IN_FLIGHT TOPIC...     requests in flight while writing, and the topics of the output
 *
 * A line `topic TAB partition TAB timestamp TAB key TAB value` of standard input is written, idempotently; an empty key or
 * value is null, and partition -1 is the one that the key says. The line `flush` waits until all of it is acknowledged, and prints `flushed`. The line `again` waits until no
 * transaction is open in the output, reads all of it anew, as lines that begin with `again`, and prints `all`. Otherwise
 * everything committed in the output is printed once it is there:
 * `record TAB topic TAB partition TAB offset TAB timestamp TAB key TAB value`.
 */
public class Driver {
    static final PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
    static final AtomicReference<Exception> failure = new AtomicReference<>();

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        List<String> topics = Arrays.asList(args).subList(2, args.length);
        Thread reader = new Thread(() -> follow(bootstrap, topics));
        reader.setDaemon(true);
        reader.start();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(producing(bootstrap, args[1]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) obey(line, producer, bootstrap, topics);
            producer.flush();
        }
        check();
    }

    static void obey(String line, KafkaProducer<String, String> producer, String bootstrap, List<String> topics) {
        if (line.equals("flush")) {
            producer.flush();
            check();
            say("flushed");
        } else if (line.equals("again")) {
            readAll(bootstrap, topics);
            say("all");
        } else {
            String[] field = line.split("\t", 5);
            Integer partition = field[1].equals("-1") ? null : Integer.valueOf(field[1]);
            producer.send(
                new ProducerRecord<>(field[0], partition, Long.valueOf(field[2]), orNull(field[3]), orNull(field[4])),
                (metadata, error) -> failure.compareAndSet(null, error)
            );
        }
    }

    static String orNull(String field) {
        return field.isEmpty() ? null : field;
    }

    static void check() {
        if (failure.get() == null) return;
        failure.get().printStackTrace();
        Runtime.getRuntime().halt(1);
    }

    static void say(String word) {
        synchronized (out) {
            out.println(word);
            out.flush();
        }
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

    static Properties producing(String bootstrap, String inFlight) {
        Properties properties = common(bootstrap);
        properties.put("enable.idempotence", "true");
        properties.put("max.in.flight.requests.per.connection", inFlight);
        properties.put("delivery.timeout.ms", "300000");
        properties.put("max.block.ms", "300000");
        properties.put("linger.ms", "5");
        return properties;
    }

    static KafkaConsumer<String, String> consumer(String bootstrap, String isolation) {
        Properties properties = common(bootstrap);
        properties.put("isolation.level", isolation);
        properties.put("auto.offset.reset", "none");
        properties.put("enable.auto.commit", "false");
        properties.put("default.api.timeout.ms", "120000");
        return new KafkaConsumer<>(properties);
    }

    static List<TopicPartition> assign(KafkaConsumer<?, ?> consumer, List<String> topics) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (String topic : topics) {
            consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
        }
        consumer.assign(partitions);
        for (TopicPartition partition : partitions) consumer.seek(partition, 0);
        return partitions;
    }

    static void print(String word, Iterable<ConsumerRecord<String, String>> records) {
        synchronized (out) {
            for (ConsumerRecord<String, String> record : records) {
                out.print(word + '\t' + record.topic() + '\t' + record.partition() + '\t' + record.offset() + '\t');
                out.println(record.timestamp() + "\t" + record.key() + '\t' + record.value());
            }
            out.flush();
        }
    }

    static void follow(String bootstrap, List<String> topics) {
        try (KafkaConsumer<String, String> consumer = consumer(bootstrap, "read_committed")) {
            assign(consumer, topics);
            while (true) print("record", consumer.poll(Duration.ofMillis(500)));
        } catch (Exception error) {
            failure.compareAndSet(null, error);
            check();
        }
    }

    static void readAll(String bootstrap, List<String> topics) {
        try (KafkaConsumer<String, String> committed = consumer(bootstrap, "read_committed")) {
            List<TopicPartition> partitions = assign(committed, topics);
            Map<TopicPartition, Long> ends = endsWithoutTransactions(bootstrap, committed, topics);
            while (partitions.stream().anyMatch(partition -> committed.position(partition) < ends.get(partition))) {
                print("again", committed.poll(Duration.ofMillis(500)));
            }
        }
    }

    /** The ends, once the last stable offsets are there too. */
    static Map<TopicPartition, Long> endsWithoutTransactions(
        String bootstrap,
        KafkaConsumer<?, ?> committed,
        List<String> topics
    ) {
        try (KafkaConsumer<String, String> uncommitted = consumer(bootstrap, "read_uncommitted")) {
            List<TopicPartition> partitions = assign(uncommitted, topics);
            while (true) {
                Map<TopicPartition, Long> ends = uncommitted.endOffsets(partitions);
                if (committed.endOffsets(partitions).equals(ends)) return ends;
            }
        }
    }
}
