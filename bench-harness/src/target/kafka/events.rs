//! Delivery reports as librdkafka has them: one event for each batch that was answered.
//!
//! Its Rust face hands out the records of an event one by one, and with that hides which were acknowledged together. Records
//! of a batch share their fate, so the harness must know: it counts batches, not records, as samples.

use std::time::Duration;

use rdkafka::bindings::{
    RD_KAFKA_EVENT_DR, RD_KAFKA_EVENT_ERROR, rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_message_next,
    rd_kafka_event_type, rd_kafka_flush, rd_kafka_queue_destroy, rd_kafka_queue_get_main, rd_kafka_queue_poll,
    rd_kafka_queue_t, rd_kafka_resp_err_t,
};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::util::IntoOpaque as _;

use super::sink::{Context, Pending};

/// What became of a record.
pub(super) struct Report {
    pub(super) pending: Box<Pending>,
    pub(super) partition: i32,
    /// Below 0 if nobody tells.
    pub(super) offset: i64,
    pub(super) error: Option<RDKafkaErrorCode>,
}

/// What came.
pub(super) enum Event {
    /// Records that were answered together.
    Batch(Vec<Report>),
    /// The client has lost something that it depends on; it goes on trying.
    Trouble(RDKafkaErrorCode),
}

/// A producer's queue of events.
pub(super) struct Events<'a> {
    producer: &'a BaseProducer<Context>,
    queue: *mut rd_kafka_queue_t,
}

impl<'a> Events<'a> {
    pub(super) fn of(producer: &'a BaseProducer<Context>) -> Events<'a> {
        // SAFETY: the client lives as long as `producer`, which outlives this. The queue is a counted reference.
        let queue = unsafe { rd_kafka_queue_get_main(producer.client().native_ptr()) };
        Events { producer, queue }
    }

    /// Waits up to `timeout` for the next event; other events than ours are passed over.
    pub(super) fn next(&self, timeout: Duration) -> Option<Event> {
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue lives until `drop`. The event is ours until it is destroyed below, and so are the messages in it:
        // what is kept of them is copied out, and each opaque pointer, which `BaseProducer::send` made of a `Box<Pending>`,
        // is taken back once: librdkafka reports each message in one event and hands each event out once.
        unsafe {
            let event = rd_kafka_queue_poll(self.queue, millis);
            if event.is_null() {
                return None;
            }
            let found = match rd_kafka_event_type(event) {
                RD_KAFKA_EVENT_DR => {
                    let mut reports = Vec::new();
                    while let Some(message) = rd_kafka_event_message_next(event).as_ref() {
                        reports.push(Report {
                            pending: Box::from_ptr(message._private),
                            partition: message.partition,
                            offset: message.offset,
                            error: code(message.err),
                        });
                    }
                    Some(Event::Batch(reports))
                }
                RD_KAFKA_EVENT_ERROR => code(rd_kafka_event_error(event)).map(Event::Trouble),
                _ => None,
            };
            rd_kafka_event_destroy(event);
            found
        }
    }
}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        // SAFETY: `of` took this reference, and it is given back once, before the producer goes.
        unsafe { rd_kafka_queue_destroy(self.queue) };
        debug_assert!(!self.producer.client().native_ptr().is_null());
    }
}

/// Sends what lingers, and waits up to `timeout` for the reports of everything; another thread takes them.
pub(super) fn flush(producer: &BaseProducer<Context>, timeout: Duration) {
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client lives as long as `producer`. That it was not done in time shows in what is still pending.
    unsafe { rd_kafka_flush(producer.client().native_ptr(), millis) };
}

fn code(error: rd_kafka_resp_err_t) -> Option<RDKafkaErrorCode> {
    (error != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| error.into())
}
