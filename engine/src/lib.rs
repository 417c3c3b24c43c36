//! LogDyno's engine: the facade. It has no code of its own; each module is a crate, bottom-up.

pub use logdyno_broker as broker;
pub use logdyno_client as client;
pub use logdyno_controller as controller;
pub use logdyno_coordinator as coordinator;
pub use logdyno_record as record;
pub use logdyno_replication as replication;
pub use logdyno_segment_log as segment_log;
pub use logdyno_storage as storage;
pub use logdyno_wire as wire;
