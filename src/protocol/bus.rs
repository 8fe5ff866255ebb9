//! Where a host says what has changed, and those who want to know hear it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Notify;

/// Something that has changed.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources, or of their templates.
    Resources,
    /// The contents of the resource at this URI.
    Resource(&'a str),
    /// The state of a task.
    Task {
        /// Which task.
        id: &'a str,
        /// The parameters of the notification that tells it, an object.
        state: &'a RawValue,
    },
}

/// Somebody who wants to know.
pub trait Listener: Send + Sync + 'static {
    /// Is told that every change from now on will be heard; the same rules hold as for hearing.
    fn begin(&self) {}

    /// Hears of a change. It must not block, nor use the bus; `false` says that it will hear no more.
    fn hear(&self, change: Change<'_>) -> bool;
}

/// Carries changes from a host to those who listen. Clones are the same bus; one that nobody listens to costs nothing.
#[derive(Clone, Default)]
pub struct Bus {
    listeners: Arc<Mutex<Listeners>>,
    /// Is notified when somebody begins to listen.
    arrived: Arc<Notify>,
    tasks: bool,
    fixed_tools: bool,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    all: BTreeMap<u64, Arc<dyn Listener>>,
}

impl Bus {
    /// A bus that nobody listens to.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same bus, on which tasks are told of as well; else nobody can ask for that.
    #[must_use]
    pub fn telling_of_tasks(self) -> Self {
        Self { tasks: true, ..self }
    }

    /// The same bus, on which there is never a word of tools: they stay as they are.
    #[must_use]
    pub fn with_fixed_tools(self) -> Self {
        Self { fixed_tools: true, ..self }
    }

    pub(super) fn tells_of_tasks(&self) -> bool {
        self.tasks
    }

    pub(super) fn tells_of_tools(&self) -> bool {
        !self.fixed_tools
    }

    /// There are other tools, or they are described in another way.
    pub fn tools_changed(&self) {
        self.tell(Change::Tools);
    }

    /// There are other prompts.
    pub fn prompts_changed(&self) {
        self.tell(Change::Prompts);
    }

    /// There are other resources, or other templates of them.
    pub fn resources_changed(&self) {
        self.tell(Change::Resources);
    }

    /// The resource at `uri` reads differently now.
    pub fn resource_updated(&self, uri: &str) {
        self.tell(Change::Resource(uri));
    }

    /// The task `id` is in another state, told by the parameters `state`, an object.
    pub fn task(&self, id: &str, state: &RawValue) {
        self.tell(Change::Task { id, state });
    }

    /// Has `listener` hear of every change from now on, until the guard is dropped or it wants no more.
    #[must_use]
    pub fn listen(&self, listener: Arc<dyn Listener>) -> Listening {
        let mut listeners = self.listeners.lock();
        let number = listeners.next;
        listeners.next += 1;
        listener.begin();
        listeners.all.insert(number, listener);
        drop(listeners);
        self.arrived.notify_one();
        Listening { bus: self.clone(), number }
    }

    /// Waits until somebody began to listen since it was last called: from then on, what is told may be heard. One
    /// caller at a time is meant to wait here. May be dropped while it waits.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.listeners.lock().all.len()
    }

    /// One lock for all who listen: so everybody hears of changes in the same order.
    fn tell(&self, change: Change<'_>) {
        let mut listeners = self.listeners.lock();
        let gone: Vec<u64> = listeners
            .all
            .iter()
            .filter(|(_, listener)| !listener.hear(change))
            .map(|(number, _)| *number)
            .collect();
        let gone: Vec<_> = gone.iter().filter_map(|number| listeners.all.remove(number)).collect();
        drop(listeners);
        // What a listener holds is let go outside the lock.
        drop(gone);
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("listeners", &self.listeners()).finish()
    }
}

/// That somebody listens; dropping it ends that.
#[derive(Debug)]
pub struct Listening {
    bus: Bus,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let gone = self.bus.listeners.lock().all.remove(&self.number);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears so many changes, then no more.
    struct Patient(Mutex<(usize, Vec<String>)>);

    impl Patient {
        fn new(patience: usize) -> Arc<Self> {
            Arc::new(Self(Mutex::new((patience, Vec::new()))))
        }
    }

    impl Listener for Patient {
        fn hear(&self, change: Change<'_>) -> bool {
            let mut heard = self.0.lock();
            heard.1.push(format!("{change:?}"));
            heard.1.len() < heard.0
        }
    }

    #[test]
    fn everybody_hears_until_they_leave() {
        let bus = Bus::new();
        bus.tools_changed();
        let (long, short) = (Patient::new(9), Patient::new(1));
        let listening = bus.listen(Arc::clone(&long) as _);
        let _leaves = bus.listen(Arc::clone(&short) as _);
        bus.prompts_changed();
        assert_eq!(bus.listeners(), 1);
        bus.resource_updated("a");
        drop(listening);
        bus.resources_changed();
        assert_eq!(bus.listeners(), 0);
        assert_eq!(long.0.lock().1, ["Prompts", "Resource(\"a\")"]);
        assert_eq!(short.0.lock().1, ["Prompts"]);
    }
}
