//! kernel_split
