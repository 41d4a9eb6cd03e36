import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * What joins and closes windows. Arguments as of Runner.
 *
 *   orders    `item amount`, keyed by anything; repartitioned by item
 *   prices    keyed by item
 *   priced    each order with each price at most 5 s away, or with `none`; grace 10 s; keyed by item
 *   sold      the number of orders of an item in each window of 10 s, once it is closed; keyed by `item@start`
 *   people    `name town`, a table
 *   towns     a table
 *   homes     people with what their town is, a join by foreign key
 *   both      people and towns of the same key, an outer join
 */
public class Joins {
    static final Duration window = Duration.ofSeconds(10);

    public static void main(String[] args) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> orders = builder
            .<String, String>stream("orders")
            .selectKey((key, order) -> order.split(" ")[0])
            .repartition(Repartitioned.as("orders-by-item"));
        orders
            .leftJoin(
                builder.<String, String>stream("prices"),
                (order, price) -> order + " at " + (price == null ? "none" : price),
                JoinWindows.ofTimeDifferenceAndGrace(window.dividedBy(2), window),
                StreamJoined.<String, String, String>as("priced-join").withStoreName("priced-store")
            )
            .to("priced");
        orders
            .groupByKey(Grouped.as("orders-grouped"))
            .windowedBy(TimeWindows.ofSizeAndGrace(window, window))
            .count(
                Materialized.<String, Long>as(
                    Stores.inMemoryWindowStore("sold-store", Duration.ofMinutes(10), window, false)
                ).withKeySerde(Serdes.String()).withValueSerde(Serdes.Long())
            )
            .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName("sold-closed"))
            .toStream((key, count) -> key.key() + "@" + key.window().start())
            .mapValues(count -> Long.toString(count))
            .to("sold");
        KTable<String, String> people = table(builder, "people");
        KTable<String, String> towns = table(builder, "towns");
        people
            .join(
                towns,
                person -> person.split(" ")[1],
                (person, town) -> person + " " + town,
                TableJoined.as("homes-join"),
                Materialized.as("homes-store")
            )
            .toStream()
            .to("homes");
        people.outerJoin(towns, (person, town) -> person + "/" + town).toStream().to("both");
        Runner.run(builder, args);
    }

    static KTable<String, String> table(StreamsBuilder builder, String topic) {
        return builder.table(
            topic,
            Consumed.with(Serdes.String(), Serdes.String()),
            Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(topic + "-store").withCachingDisabled()
        );
    }
}
