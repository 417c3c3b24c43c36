//! Frames, shapes, the Fetch response, and channels over real sockets.

mod channel;
mod fetch_response;
mod frame;
mod fuzzed;
mod shape;
