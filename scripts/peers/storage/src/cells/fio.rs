//! The device, as fio drives it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Figures, Spec, Stopwatch};

/// fio's job: `write 1m 8`, `write 256k 8 fresh`, `buffered 1m`, `dsync 16k`, `read 256k 8`.
pub fn measure(spec: &Spec, dir: &Path) -> Result<Figures> {
    let file = dir.join("fio");
    let (size, depth) = (*spec.words.first().context("a block size")?, spec.words.get(1).copied().unwrap_or("1"));
    let shape: &[&str] = match (spec.system, spec.words.get(2)) {
        ("write", Some(&"fresh")) => {
            &["--rw=write", "--ioengine=io_uring", "--direct=1", "--fallocate=native", "--size=1g"]
        }
        ("write", None) => {
            lay_out(&file, "1g")?;
            &["--rw=write", "--ioengine=io_uring", "--direct=1", "--overwrite=1", "--size=1g"]
        }
        ("buffered", None) => &["--rw=write", "--ioengine=psync", "--end_fsync=1", "--size=1g"],
        ("dsync", None) => {
            // As much as the other commits write: a file of a GiB, and its end, would be in the way of the next cells.
            lay_out(&file, "32m")?;
            &["--rw=write", "--ioengine=psync", "--direct=1", "--sync=dsync", "--overwrite=1", "--size=32m"]
        }
        ("read", None) => {
            lay_out(&file, "1g")?;
            &["--rw=read", "--ioengine=io_uring", "--direct=1", "--size=1g"]
        }
        _ => bail!("fio has no such job here"),
    };
    let watch = Stopwatch::start()?;
    let output = run(&file, size, depth, shape)?;
    let side = if spec.system == "read" { "read" } else { "write" };
    let job = &output["jobs"][0][side];
    let bytes = job["io_bytes"].as_u64().context("fio reports no bytes")?;
    let seconds = job["runtime"].as_f64().context("fio reports no time")? / 1e3;
    let mut figures = watch.stop(bytes, job["total_ios"].as_u64().unwrap_or(0), Vec::new())?;
    // Its own clock: the start of the process does not count.
    figures.mb_per_s = bytes as f64 / 1e6 / seconds;
    figures.appends_per_s = None;
    // A write with O_DSYNC is done when it is durable.
    figures.median_us = job["clat_ns"]["percentile"]["50.000000"].as_f64().map(|ns| ns / 1e3);
    Ok(figures)
}

fn run(file: &Path, size: &str, depth: &str, shape: &[&str]) -> Result<Value> {
    let output = Command::new("fio")
        .args(["--name=peer", "--output-format=json", "--thread=1", "--randrepeat=0"])
        .args([format!("--filename={}", file.display()), format!("--bs={size}"), format!("--iodepth={depth}")])
        .args(shape)
        .output()
        .context("fio is not installed")?;
    if !output.status.success() {
        bail!("fio: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout)?;
    // Notes may stand before the document.
    let document = text.find('{').map(|start| &text[start..]).context("fio printed no JSON")?;
    Ok(serde_json::from_str(document)?)
}

/// Written extents: what fio overwrites is easier for it than what a log meets.
fn lay_out(file: &Path, bytes: &str) -> Result<()> {
    let size = format!("--size={bytes}");
    run(file, "1m", "8", &["--rw=write", "--ioengine=io_uring", "--direct=1", "--end_fsync=1", &size])?;
    Ok(())
}
