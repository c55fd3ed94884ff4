//! What a watch shows others while it works: figures and health, over HTTP.
//!
//! Here: the newest figures, kept where another thread can answer with them, and
//! the paths. Not here: connections (`sys`). Invariant: whoever asks, however
//! often, costs the loop nothing, and is answered also when it stands still.

use super::health::{Health, Vitals};
use super::{CONTENT_TYPE, Figures, text};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::{Answer, Answers, Listener, Sys};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is shown. Copies show the same.
#[derive(Clone)]
pub struct Exhibit {
    sys: Sys,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Default)]
struct Shown {
    figures: Figures,
    vitals: Vitals,
}

impl std::fmt::Debug for Exhibit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exhibit").finish_non_exhaustive()
    }
}

impl Exhibit {
    /// Nothing yet, and well.
    pub fn new(sys: &Sys) -> Self {
        Self { sys: sys.clone(), shown: Arc::default() }
    }

    /// Shows figures from here on.
    pub fn show(&self, figures: Figures) {
        self.shown().figures = figures;
    }

    /// Shows from here on how the loop is.
    pub fn tell(&self, vitals: Vitals) {
        self.shown().vitals = vitals;
    }

    /// How the loop is just now.
    pub fn health(&self) -> Health {
        Health::of(&self.shown().vitals, self.sys.clock.boot_ms())
    }

    /// Answers at an address such as `127.0.0.1:9464`, until what it gives is
    /// dropped: figures at `/metrics`, health at `/health`.
    ///
    /// # Errors
    /// `usage` where it is no address, `failed` where it cannot be listened on.
    pub fn serve(&self, address: &str) -> Result<Box<dyn Listener>> {
        let own = self.clone();
        let answers: Answers = Arc::new(move |path| own.answer(path));
        self.sys.net.listen(address, answers).map_err(|e| cannot_serve(address, &e))
    }

    fn answer(&self, path: &str) -> Answer {
        match path {
            "/metrics" => {
                let body = text(&self.shown().figures);
                Answer { status: 200, content_type: CONTENT_TYPE, body }
            }
            "/health" => {
                let health = self.health();
                let mut body = serde_json::to_string(&health).unwrap_or_default();
                body.push('\n');
                let content_type = "application/json";
                Answer { status: health.http_status(), content_type, body }
            }
            "/" => Answer::plain(200, "/metrics\n/health"),
            _ => Answer::plain(404, "there is /metrics and /health"),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cannot_serve(address: &str, error: &io::Error) -> Error {
    let example = "orch watch --metrics 127.0.0.1:9464";
    match error.kind() {
        io::ErrorKind::InvalidInput => {
            Error::usage(format!("`{address}` is no address and port")).hint(example)
        }
        io::ErrorKind::AddrInUse => {
            let message = format!("cannot serve metrics: another program listens on `{address}`");
            // Any port that is free.
            let host = address.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host);
            Error::new(ErrorKind::Failed, message).hint(format!("orch watch --metrics {host}:0"))
        }
        _ => {
            let message = format!("cannot serve metrics on `{address}`: {error}");
            Error::new(ErrorKind::Failed, message).hint(example)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sim::Sim;
    use crate::watch::metrics::{Data, Family, Sample};

    #[test]
    fn figures_and_health_are_answered() {
        let sim = Sim::new("/");
        let exhibit = Exhibit::new(&sim.sys());
        let listener = exhibit.serve("127.0.0.1:9464").unwrap();
        let ask = |path| sim.net.ask(path).unwrap();
        assert_eq!(ask("/metrics").body, "");
        let data = Data::Gauge(vec![Sample { labels: vec![], value: 7 }]);
        let families = vec![Family { name: "orch_x", help: "It is.", data }];
        exhibit.show(Figures { families });
        let answer = ask("/metrics");
        assert_eq!(answer.body, "# HELP orch_x It is.\n# TYPE orch_x gauge\norch_x 7\n");
        assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
        let healthy = "{\"status\":\"ok\",\"reasons\":[],\"runs\":0,\"paused\":[]}\n";
        assert_eq!((ask("/health").status, &*ask("/health").body), (200, healthy));
        exhibit.tell(Vitals { blind: 3, ..Vitals::default() });
        assert_eq!(ask("/health").status, 503);
        assert_eq!((ask("/").status, ask("/x").status), (200, 404));
        let taken = exhibit.serve("127.0.0.1:9464").err().unwrap();
        assert_eq!(
            taken.message,
            "cannot serve metrics: another program listens on `127.0.0.1:9464`"
        );
        assert_eq!(taken.hint.as_deref(), Some("orch watch --metrics 127.0.0.1:0"));
        assert_eq!(exhibit.serve("here").err().unwrap().kind, ErrorKind::Usage);
        drop(listener);
        assert!(exhibit.serve("127.0.0.1:9464").is_ok());
    }
}
