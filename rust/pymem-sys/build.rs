//! Finds libpymem (`system`), or compiles its sources into the program (`vendored`).

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = variable("CARGO_CFG_TARGET_OS");
    if os != "linux" || variable("CARGO_CFG_TARGET_POINTER_WIDTH") != "64" {
        panic!("pymem-sys: libpymem is for 64-bit Linux, not for {}", variable("TARGET"));
    }
    let system = feature("SYSTEM");
    if system {
        link_to_system();
    } else if feature("VENDORED") {
        vendored::compile();
    } else {
        panic!("pymem-sys: one of the features `vendored` and `system` is needed");
    }
}

fn feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|e| panic!("pymem-sys: cargo sets {name}: {e}"))
}

#[cfg(not(feature = "system"))]
fn link_to_system() {}

#[cfg(feature = "system")]
fn link_to_system() {
    let version = variable("CARGO_PKG_VERSION");
    match pkg_config::Config::new().atleast_version(&version).probe("pymem") {
        Ok(library) => {
            // None where the compiler looks anyway.
            let include = library.include_paths.first().map(|path| path.display().to_string());
            let include = include.or_else(|| pkg_config::get_variable("pymem", "includedir").ok());
            println!("cargo:include={}", include.unwrap_or_default());
        }
        Err(error) => panic!("pymem-sys: feature `system` needs the installed libpymem: {error}"),
    }
}

#[cfg(not(feature = "vendored"))]
mod vendored {
    pub(crate) fn compile() {}
}

#[cfg(feature = "vendored")]
mod vendored {
    use std::path::{Path, PathBuf};

    use super::{feature, variable};

    /// The engine and the `pymem_` functions: everything but libc's, C++'s and CPython's names,
    /// which belong to the program's own libc and to the interpreter.
    pub(crate) fn compile() {
        let sources = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("c");
        let out = PathBuf::from(variable("OUT_DIR"));
        let include = write_headers(&sources.join("include/pymem"), &out);
        let mut build = cc::Build::new();
        build.include(&include).include(sources.join("lib")).include(&out);
        for layer in ["os", "arena", "pool", "heap"] {
            build.files(c_files(&sources.join("lib").join(layer)));
        }
        for file in ["direct.c", "own.c", "start.c"] {
            build.file(sources.join("lib/api").join(file));
        }
        if feature("HOST") {
            build.file("src/host.c");
            println!("cargo:rerun-if-changed=src/host.c");
        }
        build.define("_GNU_SOURCE", None).define("PM_EXPORT", Some(""));
        build.define("PM_EMBEDDED", Some("1"));
        // An allocator without optimisation slows the whole program down, not only itself.
        if variable("OPT_LEVEL") == "0" {
            build.opt_level(2);
        }
        // Those of lib/local.mk that matter here.
        for flag in ["-std=gnu11", "-fvisibility=hidden", "-fno-builtin-malloc", "-fexceptions"] {
            build.flag(flag);
        }
        build.warnings(false).compile("pymem");
        println!("cargo:rerun-if-changed=c");
        println!("cargo:include={}", include.display());
    }

    /// What `configure` makes of its templates, and the headers beside it.  Returns the folder
    /// that a C compiler is to look in.
    fn write_headers(headers: &Path, out: &Path) -> PathBuf {
        // musl loads no module with initial-exec; in programs the linker makes both the same.
        let dynamic = feature("LOCAL_DYNAMIC_TLS") || variable("CARGO_CFG_TARGET_ENV") == "musl";
        let model = if dynamic { "local-dynamic" } else { "initial-exec" };
        let config = format!("#define PM_DEBUG 0\n#define PM_TLS_MODEL \"{model}\"\n");
        write(&out.join("config.h"), &config);
        let include = out.join("include");
        let pymem = include.join("pymem");
        std::fs::create_dir_all(&pymem)
            .unwrap_or_else(|e| panic!("pymem-sys: {}: {e}", pymem.display()));
        for header in files(headers) {
            let text = std::fs::read_to_string(&header)
                .unwrap_or_else(|e| panic!("pymem-sys: {}: {e}", header.display()));
            let text = text.replace("@PACKAGE_VERSION@", &variable("CARGO_PKG_VERSION"));
            let name =
                header.file_name().expect("a file has a name").to_string_lossy().into_owned();
            write(&pymem.join(name.trim_end_matches(".in")), &text);
        }
        include
    }

    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap_or_else(|e| panic!("pymem-sys: {}: {e}", path.display()));
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder)
            .unwrap_or_else(|e| panic!("pymem-sys: {}: {e}", folder.display()));
        let mut found: Vec<_> = entries.map(|e| e.expect("a readable folder").path()).collect();
        found.sort(); // the same program from the same sources
        found
    }

    fn c_files(folder: &Path) -> Vec<PathBuf> {
        files(folder).into_iter().filter(|f| f.extension().map_or(false, |e| e == "c")).collect()
    }
}
