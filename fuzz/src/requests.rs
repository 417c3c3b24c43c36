//! Frames that may be requests.

use bytes::Bytes;
use logdyno_wire::messages::RequestKind;
use logdyno_wire::request::Request;
use logdyno_wire::{api, shape};

/// Reads a frame as a broker does: header, shape, body. What has the shape is read, or refused with a reason.
pub fn read(frame: &[u8]) {
    let Ok(request) = Request::parse(Bytes::copy_from_slice(frame), api::BROKER) else { return };
    if shape::check(request.api, request.version, &request.body).is_ok() {
        drop(RequestKind::decode(request.api, &mut request.body.clone(), request.version));
    }
}
