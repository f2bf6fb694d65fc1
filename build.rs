//! Puts the files of `static/` into the binary, each beside its gzip: nothing is compressed while the platform serves.
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("static");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut paths = Vec::new();
    files_below(&root, &mut paths)?;
    paths.sort();
    let mut table = String::from("static FILES: &[(&str, &[u8], &[u8])] = &[\n");
    for (number, path) in paths.iter().enumerate() {
        let gzip = out.join(format!("{number}.gz"));
        let mut encoder = GzEncoder::new(fs::File::create(&gzip)?, Compression::best());
        encoder.write_all(&fs::read(path)?)?;
        encoder.finish()?;
        let name = path.strip_prefix(&root)?.to_str().ok_or("a name in static/ is not UTF-8")?;
        table.push_str(&format!("    ({name:?}, include_bytes!({path:?}), include_bytes!({gzip:?})),\n"));
    }
    table.push_str("];\n");
    fs::write(out.join("static.rs"), table)?;
    writeln!(std::io::stdout(), "cargo:rerun-if-changed=static")?;
    Ok(())
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
