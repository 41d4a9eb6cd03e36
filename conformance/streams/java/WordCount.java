import java.util.Arrays;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Counts the words of `lines` into `counts`: without a cache, so that every word has there each of its counts, 1, 2, 3
 * and so on. A record lost or counted twice leaves a mark. Arguments as of Runner.
 */
public class WordCount {
    public static void main(String[] args) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> lines = builder.stream("lines");
        lines
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.<String, String>as("words"))
            .count(
                Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("words-counted")
                    .withKeySerde(Serdes.String())
                    .withValueSerde(Serdes.Long())
                    .withCachingDisabled()
            )
            .toStream()
            .mapValues(count -> Long.toString(count))
            .to("counts");
        Runner.run(builder, args);
    }
}
