import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * `Transactions.java HOST:PORT write TOPIC` has a broker of Apache Kafka write a partition with committed, aborted, interleaved
 * and open transactions over several segments, and prints what it says of them: the high watermark, the last stable offset,
 * and the offsets that a `read_committed` consumer sees. The last transaction is left open.
 * `Transactions.java HOST:PORT create TOPIC…` makes topics of one empty partition; `TOPIC:compact` is cleaned once anything is dirty.
 * `Transactions.java HOST:PORT tell FOLDER TOPIC…` puts what the broker says of a topic's partition into the file FOLDER/TOPIC.
 */
public class Transactions {
    public static void main(String[] args) throws Exception {
        String server = args[0];
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", server))) {
            switch (args[1]) {
                case "write" -> {
                    // Full indexes roll a segment: its smallest size in bytes is too much for a file in a repository.
                    create(admin, args[2], Map.of("index.interval.bytes", "0", "segment.index.bytes", "144"));
                    write(server, args[2]);
                    System.out.print(said(admin, server, args[2]));
                }
                case "create" -> {
                    for (String topic : List.of(args).subList(2, args.length)) {
                        boolean compact = topic.endsWith(":compact");
                        create(admin, topic.replace(":compact", ""), compact
                            ? Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.0001") : Map.of());
                    }
                }
                case "tell" -> {
                    for (String topic : List.of(args).subList(3, args.length)) {
                        Files.writeString(Path.of(args[2], topic), said(admin, server, topic));
                    }
                }
                default -> throw new IllegalArgumentException(args[1]);
            }
            Runtime.getRuntime().halt(0);
        }
    }

    static void create(Admin admin, String topic, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, Optional.of(1), Optional.empty()).configs(configs))).all().get();
    }

    static KafkaProducer<String, String> producer(String server, String id) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", server);
        properties.put("key.serializer", StringSerializer.class);
        properties.put("value.serializer", StringSerializer.class);
        if (id != null) {
            properties.put("transactional.id", id);
        }
        KafkaProducer<String, String> producer = new KafkaProducer<>(properties);
        if (id != null) {
            producer.initTransactions();
        }
        return producer;
    }

    static void write(String server, String topic) throws Exception {
        KafkaProducer<String, String> plain = producer(server, null);
        KafkaProducer<String, String> a = producer(server, "a"), b = producer(server, "b"), c = producer(server, "c");
        for (int round = 0; round < 6; round++) {
            send(plain, topic, "plain", round);
            a.beginTransaction();
            send(a, topic, "a", round);
            b.beginTransaction();
            send(b, topic, "b", round);
            send(a, topic, "a", round);
            send(plain, topic, "plain", round);
            a.commitTransaction();
            send(b, topic, "b", round);
            if (round % 2 == 0) {
                a.beginTransaction();
                send(a, topic, "a", round);
                b.abortTransaction();
                a.abortTransaction();
            } else {
                b.commitTransaction();
            }
        }
        a.beginTransaction();
        send(a, topic, "a", 6);
        c.beginTransaction();
        send(c, topic, "c", 6);
        send(plain, topic, "plain", 6);
        a.abortTransaction();
        send(c, topic, "c", 6);
    }

    static void send(KafkaProducer<String, String> producer, String topic, String key, int round) throws Exception {
        producer.send(new ProducerRecord<>(topic, 0, key + round, "value " + round)).get();
    }

    static String said(Admin admin, String server, String topic) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        StringBuilder said = new StringBuilder();
        for (IsolationLevel level : IsolationLevel.values()) {
            var ends = admin.listOffsets(Map.of(partition, OffsetSpec.latest()), new ListOffsetsOptions(level));
            said.append(level.toString().toLowerCase() + " end " + ends.partitionResult(partition).get().offset() + "\n");
        }
        Properties properties = new Properties();
        properties.put("bootstrap.servers", server);
        properties.put("isolation.level", "read_committed");
        properties.put("key.deserializer", StringDeserializer.class);
        properties.put("value.deserializer", StringDeserializer.class);
        List<String> seen = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties)) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                consumer.poll(Duration.ofSeconds(1)).forEach(record -> seen.add(Long.toString(record.offset())));
            }
        }
        return said.append("committed " + String.join(" ", seen) + "\n").toString();
    }
}
