//! Lets the extension leave Python's symbols to the interpreter that loads it, on macOS too.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
