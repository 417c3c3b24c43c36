//! Which files of a directory are open, so that readers share the writer's descriptor and marks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Open files by name, for as long as a writer or reader holds them.
pub(crate) struct Live<T>(Mutex<HashMap<String, Named<T>>>);

/// The open file of a name, and those that had its bytes before: a cut begins a new one, and slices of an old one may still be lent.
struct Named<T> {
    current: Weak<T>,
    before: Vec<Weak<T>>,
}

impl<T> Named<T> {
    fn alive(&self) -> impl Iterator<Item = Arc<T>> {
        std::iter::once(&self.current).chain(&self.before).filter_map(Weak::upgrade)
    }
}

impl<T> Live<T> {
    pub(crate) fn new() -> Live<T> {
        Live(Mutex::default())
    }

    /// The open file of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.files().get(name).and_then(|named| named.current.upgrade())
    }

    /// That and those before it, as far as anybody holds them.
    pub(crate) fn all(&self, name: &str) -> Vec<Arc<T>> {
        self.files().get(name).into_iter().flat_map(Named::alive).collect()
    }

    /// Later readers of `name` get this file.
    pub(crate) fn put(&self, name: &str, file: &Arc<T>) {
        let mut files = self.files();
        files.retain(|_, named| named.alive().next().is_some());
        let before =
            files.get(name).map_or_else(Vec::new, |named| named.alive().map(|file| Arc::downgrade(&file)).collect());
        files.insert(name.to_owned(), Named { current: Arc::downgrade(file), before });
    }

    /// The name no longer stands for the file, nor for those before it. Who holds them, keeps them.
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

    fn files(&self) -> MutexGuard<'_, HashMap<String, Named<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_before_the_current_one_are_known_as_long_as_they_are_held() {
        let (live, one, two) = (Live::new(), Arc::new(1), Arc::new(2));
        live.put("a", &one);
        live.put("a", &two);
        assert_eq!(live.get("a").as_deref(), Some(&2));
        assert_eq!(live.all("a"), [Arc::clone(&two), Arc::clone(&one)]);
        drop(two);
        assert_eq!((live.get("a"), live.all("a")), (None, vec![Arc::clone(&one)]), "an old one is not the current one");
        live.rename("a", "b");
        let three = Arc::new(3);
        live.put("b", &three);
        assert_eq!(live.all("b"), [Arc::clone(&three), one]);
        assert_eq!(live.all("b"), [three]);
    }
}
