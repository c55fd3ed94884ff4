//! What nobody tends.
