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
 * `Transactions.java HOST:PORT TOPIC` has a broker of Apache Kafka write a partition with committed, aborted, interleaved and
 * open transactions over several segments, and prints what it says of them: the high watermark, the last stable offset,
 * and the offsets that a `read_committed` consumer sees. The last transaction is left open.
 * `Transactions.java HOST:PORT TOPIC tell` only has it say that of a partition that is there.
 */
public class Transactions {
    public static void main(String[] args) throws Exception {
        Map<String, Object> to = Map.of("bootstrap.servers", args[0]);
        TopicPartition partition = new TopicPartition(args[1], 0);
        try (Admin admin = Admin.create(to)) {
            if (args.length == 2) {
                // Full indexes roll a segment: its smallest size in bytes is too much for a file in a repository.
                Map<String, String> small = Map.of("index.interval.bytes", "0", "segment.index.bytes", "144");
                admin.createTopics(List.of(new NewTopic(args[1], Optional.of(1), Optional.empty()).configs(small))).all().get();
                write(args[0], args[1]);
            }
            tell(admin, args[0], partition);
            Runtime.getRuntime().halt(0);
        }
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

    static void tell(Admin admin, String server, TopicPartition partition) throws Exception {
        for (IsolationLevel level : IsolationLevel.values()) {
            var ends = admin.listOffsets(Map.of(partition, OffsetSpec.latest()), new ListOffsetsOptions(level));
            System.out.println(level.toString().toLowerCase() + " end " + ends.partitionResult(partition).get().offset());
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
        System.out.println("committed " + String.join(" ", seen));
    }
}
