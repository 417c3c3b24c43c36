import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** Apache Kafka's Java clients behind the verbs of clients/drivers/verbs.py. */
public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<Map<String, String>> CONFIGS = new TypeReference<>() { };

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "describe" -> tell(Map.of("version", "kafka-clients " + AppInfoParser.getVersion(), "lacks", List.of()));
            case "produce" -> produce(arguments[1], arguments[2], arguments[3], arguments[4]);
            case "consume" -> consume(arguments[1], arguments[2], Integer.parseInt(arguments[3]), arguments[4], Integer.parseInt(arguments[5]));
            case "member" -> member(arguments[1], arguments[2], arguments[3], arguments[4], Integer.parseInt(arguments[5]));
            case "admin" -> admin(arguments[1]);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static void produce(String brokers, String topic, String codec, String idempotent) throws Exception {
        var settings = settings(brokers, Map.of("compression.type", codec, "enable.idempotence", idempotent, "linger.ms", 20, "acks", "all",
                "delivery.timeout.ms", 20000, "request.timeout.ms", 10000));
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (String line : given()) {
                JsonNode fields = JSON.readTree(line);
                Long timestamp = fields.get("timestamp").isNull() ? null : fields.get("timestamp").asLong();
                var record = new ProducerRecord<>(topic, fields.get("partition").asInt(), timestamp, bytes(fields.get("key")), bytes(fields.get("value")));
                for (JsonNode header : fields.get("headers")) {
                    record.headers().add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
                }
                sent.add(producer.send(record));
            }
            for (Future<RecordMetadata> future : sent) {
                tell(List.of(future.get().partition(), future.get().offset()));
            }
        }
    }

    private static void consume(String brokers, String topic, int partitions, String start, int count) throws Exception {
        try (var consumer = consumerOf(brokers, Map.of("enable.auto.commit", false))) {
            List<TopicPartition> wanted = new ArrayList<>();
            for (int partition = 0; partition < partitions; partition++) {
                wanted.add(new TopicPartition(topic, partition));
            }
            consumer.assign(wanted);
            long number = start.contains(":") ? Long.parseLong(start.split(":")[1]) : 0;
            if (start.startsWith("time")) {
                Map<TopicPartition, Long> times = new HashMap<>();
                wanted.forEach(at -> times.put(at, number));
                consumer.offsetsForTimes(times).forEach((at, found) -> consumer.seek(at, found.offset()));
            } else if (start.startsWith("offset")) {
                wanted.forEach(at -> consumer.seek(at, number));
            } else {
                consumer.seekToBeginning(wanted);
            }
            for (int found = 0; found < count; ) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    if (found++ < count) {
                        tell(asJson(record));
                    }
                }
            }
        }
    }

    private static void member(String brokers, String topic, String group, String assignor, int limit) throws Exception {
        String name = Map.of("range", "RangeAssignor", "cooperative-sticky", "CooperativeStickyAssignor").get(assignor);
        var consumer = consumerOf(brokers, Map.of("group.id", group, "enable.auto.commit", false, "auto.offset.reset", "earliest",
                "session.timeout.ms", 6000, "heartbeat.interval.ms", 500, "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + name,
                "max.poll.records", limit == 0 ? 500 : limit));
        Thread main = Thread.currentThread();
        Thread leaving = new Thread(() -> {
            consumer.wakeup();
            try {
                main.join();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
            // Without this the exit code would say that a signal ended us.
            Runtime.getRuntime().halt(0);
        });
        Runtime.getRuntime().addShutdownHook(leaving);
        consumer.subscribe(List.of(topic), new Ownership());
        try (consumer) {
            for (int left = limit; limit == 0 || left > 0; ) {
                List<List<Object>> found = new ArrayList<>();
                Map<TopicPartition, Long> first = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    found.add(List.of(record.partition(), record.offset()));
                    first.putIfAbsent(new TopicPartition(topic, record.partition()), record.offset());
                }
                if (!found.isEmpty()) {
                    tell(Map.of("polled", found));
                }
                if (!found.isEmpty() && commits(consumer)) {
                    left -= found.size();
                    tell(Map.of("records", found));
                } else {
                    first.keySet().retainAll(consumer.assignment());
                    first.forEach(consumer::seek);
                }
            }
            Runtime.getRuntime().removeShutdownHook(leaving);
        } catch (WakeupException asked) {
            // Leaves by the closing of the consumer.
        }
    }

    /** False if there is a rebalance: whoever has the partitions then, perhaps this member, reads these records again. */
    private static boolean commits(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync();
            return true;
        } catch (CommitFailedException | RebalanceInProgressException lost) {
            return false;
        }
    }

    private static long now() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }

    private static final class Ownership implements ConsumerRebalanceListener {
        private final Set<Integer> partitions = new TreeSet<>();

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> gained) {
            gained.forEach(at -> partitions.add(at.partition()));
            tell(Map.of("owns", partitions, "at_ns", now()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> lost) {
            lost.forEach(at -> partitions.remove(at.partition()));
            tell(Map.of("owns", partitions, "at_ns", now()));
        }
    }

    private static void admin(String brokers) throws Exception {
        try (Admin admin = Admin.create(settings(brokers, Map.of("default.api.timeout.ms", 20000, "request.timeout.ms", 10000)))) {
            for (String line : given()) {
                JsonNode call = JSON.readTree(line);
                try {
                    tell(answer(admin, call));
                } catch (Exception error) {
                    tell(Map.of("error", error.toString()));
                }
            }
        }
    }

    private static Map<String, ?> answer(Admin admin, JsonNode call) throws Exception {
        String topic = call.path("topic").asText();
        String group = call.path("group").asText();
        TopicPartition at = new TopicPartition(topic, call.path("partition").asInt());
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        switch (call.get("do").asText()) {
            case "create_topic" -> {
                var wanted = new NewTopic(topic, Optional.of(call.get("partitions").asInt()), Optional.empty());
                admin.createTopics(List.of(wanted.configs(JSON.convertValue(call.get("configs"), CONFIGS)))).all().get();
            }
            case "describe_topic" -> {
                return Map.of("partitions", admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size());
            }
            case "list_topics" -> {
                return Map.of("topics", admin.listTopics().names().get());
            }
            case "delete_topic" -> admin.deleteTopics(List.of(topic)).all().get();
            case "grow" -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(call.get("partitions").asInt()))).all().get();
            case "configs" -> {
                Map<String, String> values = new HashMap<>();
                admin.describeConfigs(List.of(resource)).all().get().get(resource).entries().forEach(entry -> values.put(entry.name(), entry.value()));
                return Map.of("configs", values);
            }
            case "alter_configs" -> {
                List<AlterConfigOp> changes = new ArrayList<>();
                call.get("configs").properties().forEach(entry ->
                        changes.add(new AlterConfigOp(new ConfigEntry(entry.getKey(), entry.getValue().asText()), AlterConfigOp.OpType.SET)));
                admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
            }
            case "delete_records" -> {
                var deleted = admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(call.get("before").asLong())));
                return Map.of("low", deleted.lowWatermarks().get(at).get().lowWatermark());
            }
            case "offsets" -> {
                return Map.of("earliest", admin.listOffsets(Map.of(at, OffsetSpec.earliest())).all().get().get(at).offset(),
                        "latest", admin.listOffsets(Map.of(at, OffsetSpec.latest())).all().get().get(at).offset());
            }
            case "list_groups" -> {
                return Map.of("groups", admin.listGroups().all().get().stream().map(listing -> listing.groupId()).toList());
            }
            case "describe_group" -> {
                var found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                return Map.of("state", found.groupState().toString().toLowerCase(), "members", found.members().size());
            }
            case "group_offsets" -> {
                Map<String, Long> offsets = new HashMap<>();
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()
                        .forEach((partition, committed) -> offsets.put(partition.toString(), committed.offset()));
                return Map.of("offsets", offsets);
            }
            case "delete_group" -> admin.deleteConsumerGroups(List.of(group)).all().get();
            default -> throw new IllegalArgumentException(call.toString());
        }
        return Map.of();
    }

    private static KafkaConsumer<byte[], byte[]> consumerOf(String brokers, Map<String, Object> more) {
        return new KafkaConsumer<>(settings(brokers, more), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static Properties settings(String brokers, Map<String, Object> more) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", brokers);
        more.forEach((name, value) -> settings.put(name, value.toString()));
        return settings;
    }

    private static Map<String, Object> asJson(ConsumerRecord<byte[], byte[]> record) {
        List<List<String>> headers = new ArrayList<>();
        record.headers().forEach(header -> {
            List<String> pair = new ArrayList<>();
            pair.add(header.key());
            pair.add(text(header.value()));
            headers.add(pair);
        });
        Map<String, Object> fields = new HashMap<>();
        fields.put("partition", record.partition());
        fields.put("key", text(record.key()));
        fields.put("value", text(record.value()));
        fields.put("headers", headers);
        fields.put("timestamp", record.timestamp());
        fields.put("offset", record.offset());
        return fields;
    }

    private static String text(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static List<String> given() {
        return new BufferedReader(new InputStreamReader(System.in)).lines().toList();
    }

    private static synchronized void tell(Object answer) {
        try {
            System.out.println(JSON.writeValueAsString(answer));
            System.out.flush();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }
}
