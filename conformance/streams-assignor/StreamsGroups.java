import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopic;
import org.apache.kafka.common.message.StreamsGroupDescribeResponseData;
import org.apache.kafka.common.message.StreamsGroupDescribeResponseDataJsonConverter.TopologyJsonConverter;
import org.apache.kafka.common.requests.ApiError;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataDelta;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.generated.StreamsGroupTopologyValueJsonConverter;
import org.apache.kafka.coordinator.group.streams.StreamsTopology;
import org.apache.kafka.coordinator.group.streams.assignor.AssignmentMemberSpec;
import org.apache.kafka.coordinator.group.streams.assignor.GroupSpecImpl;
import org.apache.kafka.coordinator.group.streams.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor;
import org.apache.kafka.coordinator.group.streams.assignor.TopologyDescriber;
import org.apache.kafka.coordinator.group.streams.topics.ConfiguredTopology;
import org.apache.kafka.coordinator.group.streams.topics.InternalTopicManager;
import org.slf4j.helpers.NOPLogger;

/**
 * What Apache Kafka makes of streams groups: a line of JSON in, a line of JSON out. With "topology" and "topics" it
 * configures the topology, otherwise it assigns the tasks of "subtopologies" to "members".
 */
public final class StreamsGroups {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode input = JSON.readTree(line);
            ObjectNode output = JSON.createObjectNode();
            try {
                if (input.has("topology")) configure(input, output);
                else assign(input, output);
            } catch (RuntimeException e) {
                ApiError error = ApiError.fromThrowable(e);
                output.removeAll();
                output.put("error", error.error().name()).put("message", error.message());
            }
            out.println(JSON.writeValueAsString(output));
        }
        out.flush();
    }

    private static void configure(JsonNode input, ObjectNode output) {
        StreamsTopology topology =
            StreamsTopology.fromRecord(StreamsGroupTopologyValueJsonConverter.read(input.get("topology"), (short) 0));
        ConfiguredTopology configured = InternalTopicManager.configureTopics(
            NOPLogger.NOP_LOGGER, "group", "member", 0, topology, new Topics(input.get("topics")), Time.SYSTEM);
        output.put("epoch", configured.topologyEpoch());
        ArrayNode tasks = output.putArray("tasks");
        configured.subtopologies().orElse(new TreeMap<>()).forEach(
            (id, each) -> tasks.addObject().put("id", id).put("count", each.numberOfTasks()));
        ArrayNode create = output.putArray("create");
        for (CreatableTopic topic : configured.internalTopicsToBeCreated().values()) {
            ObjectNode created = create.addObject()
                .put("name", topic.name())
                .put("partitions", topic.numPartitions())
                .put("replicationFactor", topic.replicationFactor());
            ArrayNode configs = created.putArray("configs");
            topic.configs().forEach(config -> configs.add(config.name()).add(config.value()));
        }
        output.putNull("problem");
        configured.topicConfigurationException().ifPresent(problem -> output.putObject("problem")
            .put("statusCode", problem.status().code())
            .put("statusDetail", problem.getMessage()));
        StreamsGroupDescribeResponseData.Topology described = configured.isReady()
            ? configured.asStreamsGroupDescribeTopology()
            : topology.asStreamsGroupDescribeTopology();
        output.set("described", TopologyJsonConverter.write(described, (short) 0));
        ArrayNode required = output.putArray("required");
        new TreeSet<>(topology.requiredTopics()).forEach(required::add);
        ObjectNode readers = output.putObject("readers");
        topology.sourceTopicMap().forEach((topic, reader) -> readers.put(topic, reader.subtopologyId()));
    }

    private static void assign(JsonNode input, ObjectNode output) {
        Map<String, AssignmentMemberSpec> members = new HashMap<>();
        for (JsonNode member : input.get("members")) {
            members.put(member.get("id").asText(), new AssignmentMemberSpec(
                Optional.empty(), Optional.empty(), tasks(member.get("active")), tasks(member.get("standby")), Map.of(),
                member.get("process").asText(), Map.of(), Map.of(), Map.of()));
        }
        Map<String, String> configs = Map.of("num.standby.replicas", input.get("standbyReplicas").asText());
        Map<String, MemberAssignment> assignments = new StickyTaskAssignor()
            .assign(new GroupSpecImpl(members, configs), new Subtopologies(input.get("subtopologies")))
            .members();
        assignments.forEach((id, assignment) -> {
            ObjectNode member = output.putObject(id);
            write(member.putObject("active"), assignment.activeTasks());
            write(member.putObject("standby"), assignment.standbyTasks());
            write(member.putObject("warmup"), assignment.warmupTasks());
        });
    }

    private static Map<String, Set<Integer>> tasks(JsonNode input) {
        Map<String, Set<Integer>> tasks = new HashMap<>();
        input.properties().forEach(entry -> {
            Set<Integer> partitions = new HashSet<>();
            entry.getValue().forEach(partition -> partitions.add(partition.asInt()));
            tasks.put(entry.getKey(), partitions);
        });
        return tasks;
    }

    private static void write(ObjectNode output, Map<String, Set<Integer>> tasks) {
        tasks.forEach((id, partitions) -> {
            ArrayNode array = output.putArray(id);
            new TreeSet<>(partitions).forEach(array::add);
        });
    }

    private static final class Subtopologies implements TopologyDescriber {
        private final Map<String, JsonNode> byId = new TreeMap<>();

        Subtopologies(JsonNode input) {
            input.forEach(each -> byId.put(each.get("id").asText(), each));
        }

        @Override
        public List<String> subtopologies() {
            return new ArrayList<>(byId.keySet());
        }

        @Override
        public int maxNumInputPartitions(String id) {
            return byId.get(id).get("taskCount").asInt();
        }

        @Override
        public boolean isStateful(String id) {
            return byId.get(id).get("isStateful").asBoolean();
        }
    }

    private static final class Topics implements CoordinatorMetadataImage {
        private final JsonNode partitionCounts;

        Topics(JsonNode partitionCounts) {
            this.partitionCounts = partitionCounts;
        }

        @Override
        public Optional<TopicMetadata> topicMetadata(String name) {
            JsonNode count = partitionCounts.get(name);
            return count == null ? Optional.empty() : Optional.of(new Topic(name, count.asInt()));
        }

        @Override
        public Optional<TopicMetadata> topicMetadata(Uuid id) {
            return Optional.empty();
        }

        @Override
        public Set<Uuid> topicIds() {
            return Set.of();
        }

        @Override
        public Set<String> topicNames() {
            return Set.of();
        }

        @Override
        public CoordinatorMetadataDelta emptyDelta() {
            return CoordinatorMetadataDelta.EMPTY;
        }

        @Override
        public long version() {
            return 0;
        }

        @Override
        public boolean isEmpty() {
            return false;
        }
    }

    private record Topic(String name, int partitionCount) implements CoordinatorMetadataImage.TopicMetadata {
        @Override
        public Uuid id() {
            return Uuid.ZERO_UUID;
        }

        @Override
        public List<String> partitionRacks(int partition) {
            return List.of();
        }
    }
}
