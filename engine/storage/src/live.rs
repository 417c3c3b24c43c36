//! Which files of a directory are open, so that readers share the writer's descriptor and marks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Open files by name, for as long as a writer or reader holds them.
pub(crate) struct Live<T>(Mutex<HashMap<String, Weak<T>>>);

impl<T> Live<T> {
    pub(crate) fn new() -> Live<T> {
        Live(Mutex::default())
    }

    /// The open file of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.files().get(name).and_then(Weak::upgrade)
    }

    /// Later readers of `name` get this file.
    pub(crate) fn put(&self, name: &str, file: &Arc<T>) {
        let mut files = self.files();
        files.retain(|_, file| file.strong_count() > 0);
        files.insert(name.to_owned(), Arc::downgrade(file));
    }

    /// The name no longer stands for the file. Who holds it, keeps it.
    pub(crate) fn forget(&self, name: &str) {
        self.files().remove(name);
    }

    /// The file has another name now.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        let mut files = self.files();
        match files.remove(from) {
            Some(file) => files.insert(to.to_owned(), file),
            None => files.remove(to),
        };
    }

    fn files(&self) -> MutexGuard<'_, HashMap<String, Weak<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
