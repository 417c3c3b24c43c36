//! The log over every backend, on real files and on the simulated disk.

mod back_pressure;
mod commits;
mod compaction;
mod crash;
mod damage;
mod deletion;
mod directory;
mod dump;
mod epochs;
mod faults;
mod full_disk;
mod fuzzed;
mod indexes;
mod leading;
mod lookups;
mod model;
mod power_loss;
mod producers;
mod reading;
mod recovery;
mod retention;
mod rolling;
mod settings;
mod transactions;
mod truncation;
mod world;
