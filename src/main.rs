//! The `mingfen` command: parse and dispatch.
fn main() -> std::process::ExitCode {
    mingfen::cli::main()
}
