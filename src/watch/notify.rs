//! Who hears of alerts.
