//! Lines of the log on their way out. Whoever logs never waits: what reads the log may be a pipe that nobody empties, and a
//! server that waited for it would stand still. A thread writes the lines; those that there is no room for are lost, and
//! counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use prometheus::IntCounter;
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes that wait to be written.
const MAX_WAITING: usize = 1 << 20;

/// What a line takes beside its text.
const OVERHEAD: usize = 64;

/// For how long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Lines that were lost. There is one log for the whole process, so every server in it counts the same.
pub(super) static LOST: LazyLock<IntCounter> = LazyLock::new(|| {
    let counter =
        IntCounter::new("parlor_log_lines_lost_total", "Lines of the log that were lost because nobody reads it");
    counter.expect("the name is well formed")
});

enum Line {
    Text(Vec<u8>),
    /// All lines before this one are written once it is dropped.
    Mark(#[expect(dead_code, reason = "it is dropped")] SyncSender<()>),
}

/// The way out of the lines. Cheap to clone.
#[derive(Clone)]
pub struct Lines {
    queue: Sender<Line>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
}

impl Lines {
    /// Writes to standard error.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn to_stderr() -> io::Result<Self> {
        Self::start(io::stderr(), MAX_WAITING)
    }

    /// Writes to `out` in a thread of its own, which ends when nobody can log any more.
    fn start(out: impl Write + Send + 'static, max_waiting: usize) -> io::Result<Self> {
        let (queue, lines) = mpsc::channel();
        let waiting = Arc::<AtomicUsize>::default();
        let left = Arc::clone(&waiting);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(out, &lines, &left))?;
        Ok(Self { queue, waiting, max_waiting })
    }

    /// Puts a line into the queue, or loses it.
    fn put(&self, line: &[u8]) {
        let size = line.len() + OVERHEAD;
        let fits = self.waiting.fetch_add(size, Ordering::Relaxed) + size <= self.max_waiting;
        if !fits || self.queue.send(Line::Text(line.to_vec())).is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            LOST.inc();
        }
    }

    /// Adds a text that isn't of the log, such as why the process ends, whatever waits.
    pub fn say(&self, text: &str) {
        self.waiting.fetch_add(text.len() + OVERHEAD, Ordering::Relaxed);
        // Without the thread, nobody reads it anyway.
        let _ = self.queue.send(Line::Text(text.as_bytes().to_vec()));
    }

    /// Waits until all that was logged is written, but not for long.
    pub fn flush(&self) {
        let (written, wait) = mpsc::sync_channel(0);
        if self.queue.send(Line::Mark(written)).is_ok() {
            // It is dropped, and nothing is ever sent.
            let _ = wait.recv_timeout(LAST_LINES);
        }
    }
}

fn write_all(mut out: impl Write, lines: &Receiver<Line>, waiting: &AtomicUsize) {
    let mut told = LOST.get();
    for line in lines {
        let Line::Text(text) = line else { continue };
        if out.write_all(&text).and_then(|()| out.flush()).is_err() {
            LOST.inc();
        }
        waiting.fetch_sub(text.len() + OVERHEAD, Ordering::Relaxed);
        let lost = LOST.get();
        // Once there is room again, so that the line itself isn't lost.
        if lost > told && waiting.load(Ordering::Relaxed) == 0 {
            tracing::warn!(lines = lost - told, "lines of the log were lost, because nobody read it");
            told = lost;
        }
    }
}

/// A line that is being put together.
pub struct LineWriter<'l>(&'l Lines);

impl Write for LineWriter<'_> {
    /// The subscriber writes a whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = LineWriter<'l>;

    fn make_writer(&'l self) -> LineWriter<'l> {
        LineWriter(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::SyncSender;

    use super::*;

    /// Writes a line whenever somebody takes it.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.send(line.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is counted is counted for the process.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn whoever_logs_never_waits_and_what_has_no_room_is_lost_and_counted() {
        let _alone = ALONE.lock().expect("no test fails in it");
        let (pipe, reader) = mpsc::sync_channel(0);
        let lines = Lines::start(Pipe(pipe), 10 * (OVERHEAD + 4)).expect("a thread can be started");
        let before = LOST.get();
        for n in 0..100 {
            lines.put(format!("{n:03}\n").as_bytes());
        }
        let lost = LOST.get() - before;
        assert!((89..=90).contains(&lost), "{lost}");
        for n in 0..100 - lost {
            assert_eq!(reader.recv().expect("it is written"), format!("{n:03}\n").into_bytes(), "the oldest are kept");
        }
        lines.say("again\n");
        assert_eq!(reader.recv().expect("it is written"), b"again\n");
    }

    #[test]
    fn the_last_lines_are_waited_for_but_not_for_ever() {
        let _alone = ALONE.lock().expect("no test fails in it");
        let (pipe, reader) = mpsc::sync_channel(8);
        let lines = Lines::start(Pipe(pipe), MAX_WAITING).expect("a thread can be started");
        (0..8).for_each(|_| lines.say("line\n"));
        lines.flush();
        assert_eq!(reader.try_iter().count(), 8);
        (0..10).for_each(|_| lines.say("line\n"));
        lines.flush();
        assert_eq!(reader.try_iter().take(8).count(), 8);
    }
}
