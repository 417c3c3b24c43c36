package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

// A call of the admin verb.
type call struct {
	Do         string            `json:"do"`
	Topic      string            `json:"topic"`
	Group      string            `json:"group"`
	Partition  int32             `json:"partition"`
	Partitions int               `json:"partitions"`
	Before     int64             `json:"before"`
	Configs    map[string]string `json:"configs"`
}

func administer(brokers string) {
	client := connect(brokers)
	defer client.Close()
	admin := kadm.NewClient(client)
	for line := range given() {
		var asked call
		check(json.Unmarshal(line, &asked))
		answer, err := answerTo(context.Background(), admin, asked)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		tell(answer)
	}
}

func answerTo(ctx context.Context, admin *kadm.Client, asked call) (map[string]any, error) {
	nothing := map[string]any{}
	switch asked.Do {
	case "create_topic":
		configs := map[string]*string{}
		for name, value := range asked.Configs {
			configs[name] = &value
		}
		_, err := admin.CreateTopic(ctx, int32(asked.Partitions), -1, configs, asked.Topic)
		return nothing, err
	case "describe_topic":
		found, err := admin.ListTopics(ctx, asked.Topic)
		if err == nil {
			err = found[asked.Topic].Err
		}
		return map[string]any{"partitions": len(found[asked.Topic].Partitions)}, err
	case "list_topics":
		found, err := admin.ListTopics(ctx)
		return map[string]any{"topics": found.Names()}, err
	case "delete_topic":
		_, err := admin.DeleteTopic(ctx, asked.Topic)
		return nothing, err
	case "grow":
		found, err := admin.UpdatePartitions(ctx, asked.Partitions, asked.Topic)
		if err == nil {
			err = found.Error()
		}
		return nothing, err
	case "configs":
		return configs(ctx, admin, asked.Topic)
	case "alter_configs":
		var changes []kadm.AlterConfig
		for name, value := range asked.Configs {
			changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
		}
		found, err := admin.AlterTopicConfigs(ctx, changes, asked.Topic)
		if err == nil {
			err = found[0].Err
		}
		return nothing, err
	case "delete_records":
		var before kadm.Offsets = kadm.Offsets{}
		before.AddOffset(asked.Topic, asked.Partition, asked.Before, -1)
		found, err := admin.DeleteRecords(ctx, before)
		if err == nil {
			err = found.Error()
		}
		return map[string]any{"low": found[asked.Topic][asked.Partition].LowWatermark}, err
	case "offsets":
		return offsets(ctx, admin, asked.Topic, asked.Partition)
	case "list_groups":
		found, err := admin.ListGroups(ctx)
		return map[string]any{"groups": found.Groups()}, err
	case "describe_group":
		found, err := admin.DescribeGroups(ctx, asked.Group)
		if err == nil {
			err = found.Error()
		}
		return map[string]any{"state": strings.ToLower(found[asked.Group].State), "members": len(found[asked.Group].Members)}, err
	case "group_offsets":
		found, err := admin.FetchOffsets(ctx, asked.Group)
		committed := map[string]int64{}
		found.Each(func(at kadm.OffsetResponse) { committed[fmt.Sprintf("%s-%d", at.Topic, at.Partition)] = at.At })
		return map[string]any{"offsets": committed}, err
	case "delete_group":
		_, err := admin.DeleteGroup(ctx, asked.Group)
		return nothing, err
	}
	return nil, fmt.Errorf("no call %q", asked.Do)
}

func configs(ctx context.Context, admin *kadm.Client, topic string) (map[string]any, error) {
	found, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, config := range found[0].Configs {
		values[config.Key] = config.Value
	}
	return map[string]any{"configs": values}, found[0].Err
}

func offsets(ctx context.Context, admin *kadm.Client, topic string, partition int32) (map[string]any, error) {
	start, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	end, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = end.Error()
	}
	return map[string]any{"earliest": start[topic][partition].Offset, "latest": end[topic][partition].Offset}, err
}
