//! Limits as text for people, and a result against them.

use comfy_table::{CellAlignment, Table};

use super::cells::{section, table};
use super::format::{bytes, duration, percent};
use crate::limits::{Direction, Io, Limits, Share};
use crate::result::Measured;

/// The limits of a machine.
#[must_use]
pub fn render_limits(limits: &Limits) -> String {
    let machine = &limits.environment;
    let mut text = format!(
        "machine  {} · {} cores · {} MiB · Linux {} · {}\nlogdyno  {} ({}, {} build) · {}\n",
        machine.processor,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        machine.file_system,
        machine.version,
        machine.commit,
        machine.build,
        machine.began
    );
    for direction in [Direction::Write, Direction::Read] {
        for io in [Io::Buffered, Io::Direct] {
            bandwidths(&mut text, limits, direction, io);
        }
    }
    let mut syncs = table(["4 KiB until it is durable", "p50", "p99"]);
    for sync in &limits.syncs {
        let what = if sync.grows { "the file grows" } else { "the file was written before" };
        syncs.add_row([what.to_owned(), duration(sync.p50_ns as f64), duration(sync.p99_ns as f64)]);
    }
    section(&mut text, "Syncs", &syncs);
    section(&mut text, "One thread in memory", &memory(limits));
    let mut others = table(["", "p50", "p99"]);
    let loopback = &limits.loopback;
    let quantiles = |p50: u64, p99: u64| [duration(p50 as f64), duration(p99 as f64)];
    let [p50, p99] = quantiles(loopback.round_trip_p50_ns, loopback.round_trip_p99_ns);
    others.add_row(["loopback TCP, there and back".to_owned(), p50, p99]);
    for timer in &limits.timers {
        let [p50, p99] = quantiles(timer.p50_ns, timer.p99_ns);
        others.add_row([format!("{} of 100 µs, too late by", timer.kind), p50, p99]);
    }
    section(&mut text, "Network and timers", &others);
    text.push_str(&format!("loopback TCP: {}/s on one connection\n", bytes(loopback.bytes_per_second)));
    limits.skipped.iter().for_each(|skipped| text.push_str(&format!("SKIPPED {skipped}\n")));
    text
}

fn bandwidths(text: &mut String, limits: &Limits, direction: Direction, io: Io) {
    let of = || limits.bandwidths.iter().filter(|one| one.direction == direction && one.io == io);
    let mut depths: Vec<usize> = of().map(|one| one.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    let mut blocks: Vec<usize> = of().map(|one| one.block_bytes).collect();
    blocks.dedup();
    if blocks.is_empty() {
        return;
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    let heads = depths.iter().map(|depth| format!("{depth} at a time"));
    table.set_header(["block".to_owned()].into_iter().chain(heads));
    for block in blocks {
        let cell = |depth: &usize| {
            let found = of().find(|one| one.block_bytes == block && one.depth == *depth);
            found.map_or(String::new(), |one| format!("{}/s", bytes(one.bytes_per_second)))
        };
        table.add_row([format!("{} KiB", block >> 10)].into_iter().chain(depths.iter().map(cell)));
    }
    super::cells::align(&mut table);
    let (way, how) = (
        if direction == Direction::Write { "writes" } else { "reads" },
        if io == Io::Direct { "past the page cache" } else { "through the page cache" },
    );
    section(text, &format!("Sequential {way} {how}"), &table);
}

fn memory(limits: &Limits) -> comfy_table::Table {
    let mut table = table(["", "in a second", "back", "ratio"]);
    let rate = |value: f64| format!("{}/s", bytes(value));
    table.add_row(["memcpy".to_owned(), rate(limits.memcpy_bytes_per_second), String::new(), String::new()]);
    table.add_row(["CRC-32C".to_owned(), rate(limits.crc32c_bytes_per_second), String::new(), String::new()]);
    for codec in &limits.codecs {
        table.add_row([
            codec.codec.clone(),
            rate(codec.compress_bytes_per_second),
            rate(codec.decompress_bytes_per_second),
            percent(codec.ratio),
        ]);
    }
    table
}

/// How much of each limit trials used, and which binds; `None` if no trial tells it.
pub(super) fn parts(trials: &[(String, &Measured)]) -> Option<Table> {
    let mut table = table(["", "used most", "and", "limits of"]);
    for (label, measured) in trials {
        let Some(limits) = &measured.limits else { continue };
        let told = |share: &Share| format!("{} of {}", percent(share.share), share.limit);
        let others: Vec<String> = limits.shares.iter().skip(1).map(told).collect();
        let of = [&limits.measured].into_iter().chain(&limits.objections).cloned().collect::<Vec<_>>().join("; ");
        let most = limits.shares.first().map_or_else(|| "what moved is not seen".to_owned(), told);
        table.add_row([label.clone(), most, others.join(", "), of]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Left);
    }
    (table.row_count() > 0).then_some(table)
}
