// franz-go behind the verbs of clients/drivers/verbs.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A record as the other drivers read and write it. Bytes are base64 in JSON, and null where they are nil.
type record struct {
	Partition int32    `json:"partition"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   [][2]any `json:"headers"`
	Timestamp *int64   `json:"timestamp"`
	Offset    *int64   `json:"offset"`
}

func main() {
	arguments := os.Args[2:]
	switch os.Args[1] {
	case "describe":
		tell(map[string]any{"version": version(), "lacks": []string{}})
	case "produce":
		produce(arguments[0], arguments[1], arguments[2], arguments[3] == "true")
	case "consume":
		consume(arguments[0], arguments[1], number(arguments[2]), arguments[3], number(arguments[4]))
	case "member":
		member(arguments[0], arguments[1], arguments[2], arguments[3], number(arguments[4]))
	case "admin":
		administer(arguments[0])
	default:
		fail(fmt.Errorf("no verb %q", os.Args[1]))
	}
}

func produce(brokers, topic, codec string, idempotent bool) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	options := []kgo.Opt{kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(20 * time.Millisecond)}
	if !idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client := connect(brokers, options...)
	defer client.Close()
	var sent []*kgo.Record
	for line := range given() {
		var fields record
		check(json.Unmarshal(line, &fields))
		out := &kgo.Record{Partition: fields.Partition, Key: fields.Key, Value: fields.Value}
		if fields.Timestamp != nil {
			out.Timestamp = time.UnixMilli(*fields.Timestamp)
		}
		for _, header := range fields.Headers {
			var value []byte
			if text, ok := header[1].(string); ok {
				check(json.Unmarshal([]byte(strconv.Quote(text)), &value))
			}
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: header[0].(string), Value: value})
		}
		sent = append(sent, out)
	}
	// A record's own timeout would count from its timestamp.
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	for _, result := range client.ProduceSync(ctx, sent...) {
		check(result.Err)
	}
	for _, placed := range sent {
		tell([]int64{int64(placed.Partition), placed.Offset})
	}
}

func consume(brokers, topic string, partitions int, start string, count int) {
	offset := kgo.NewOffset().AtStart()
	kind, at, _ := strings.Cut(start, ":")
	switch kind {
	case "offset":
		offset = kgo.NewOffset().At(int64(number(at)))
	case "time":
		offset = kgo.NewOffset().AfterMilli(int64(number(at)))
	}
	wanted := map[int32]kgo.Offset{}
	for partition := range partitions {
		wanted[int32(partition)] = offset
	}
	client := connect(brokers, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: wanted}))
	defer client.Close()
	for count > 0 {
		fetches := client.PollRecords(context.Background(), count)
		check(fetches.Err())
		fetches.EachRecord(func(found *kgo.Record) {
			count--
			timestamp := found.Timestamp.UnixMilli()
			fields := record{Partition: found.Partition, Key: found.Key, Value: found.Value, Headers: [][2]any{}, Timestamp: &timestamp, Offset: &found.Offset}
			for _, header := range found.Headers {
				fields.Headers = append(fields.Headers, [2]any{header.Key, header.Value})
			}
			tell(fields)
		})
	}
}

func member(brokers, topic, group, assignor string, limit int) {
	asked, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	owned := ownership{partitions: map[int32]bool{}}
	client := connect(brokers, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.Balancers(map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer()}[assignor]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, gained map[string][]int32) { owned.change(gained[topic], true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { owned.change(lost[topic], false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { owned.change(lost[topic], false) }))
	defer client.Close()
	for left := limit; (limit == 0 || left > 0) && asked.Err() == nil; client.AllowRebalance() {
		waiting, stop := context.WithTimeout(asked, 200*time.Millisecond)
		records := client.PollRecords(waiting, max(left, 0)).Records()
		stop()
		if len(records) == 0 {
			continue
		}
		places := make([][2]int64, 0, len(records))
		for _, found := range records {
			places = append(places, [2]int64{int64(found.Partition), found.Offset})
		}
		tell(map[string]any{"polled": places})
		if client.CommitRecords(context.Background(), records...) != nil {
			// There is a rebalance: whoever has the partitions then, perhaps this member, reads these records again.
			first := map[int32]kgo.EpochOffset{}
			for _, found := range records {
				if _, known := first[found.Partition]; !known && owned.has(found.Partition) {
					first[found.Partition] = kgo.EpochOffset{Epoch: -1, Offset: found.Offset}
				}
			}
			client.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: first})
		} else {
			left -= len(records)
			tell(map[string]any{"records": places})
		}
	}
}

type ownership struct {
	mutex      sync.Mutex
	partitions map[int32]bool
}

func (owned *ownership) has(partition int32) bool {
	owned.mutex.Lock()
	defer owned.mutex.Unlock()
	return owned.partitions[partition]
}

func (owned *ownership) change(partitions []int32, gained bool) {
	owned.mutex.Lock()
	defer owned.mutex.Unlock()
	for _, partition := range partitions {
		if gained {
			owned.partitions[partition] = true
		} else {
			delete(owned.partitions, partition)
		}
	}
	all := make([]int, 0, len(owned.partitions))
	for partition := range owned.partitions {
		all = append(all, int(partition))
	}
	sort.Ints(all)
	tell(map[string]any{"owns": all, "at_ns": time.Now().UnixNano()})
}

func connect(brokers string, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(strings.Split(brokers, ",")...))...)
	check(err)
	return client
}

func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			return "franz-go " + module.Version + ", " + build.GoVersion
		}
	}
	return "franz-go"
}

func given() func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() && yield(lines.Bytes()) {
		}
		check(lines.Err())
	}
}

var telling sync.Mutex

func tell(answer any) {
	telling.Lock()
	defer telling.Unlock()
	line, err := json.Marshal(answer)
	check(err)
	fmt.Println(string(line))
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
