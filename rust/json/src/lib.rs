//! A JSON encoder and decoder for Python.  Its point is its memory: Rust's trees and strings
//! are allocated by `pymem::PyMemRaw`, so they are the interpreter's, in every thread.

mod allocator;
mod convert;

use std::sync::mpsc;
use std::thread;

use convert::{from_python, raise, text_of, text_to_python, to_python, Result};
use pyo3_ffi::*;
use serde_json::Value;

unsafe fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).or_else(|e| raise(PyExc_ValueError, &e.to_string()))
}

fn object_or_null(result: Result<*mut PyObject>) -> *mut PyObject {
    result.unwrap_or(std::ptr::null_mut())
}

unsafe extern "C" fn loads(_module: *mut PyObject, text: *mut PyObject) -> *mut PyObject {
    object_or_null(text_of(text).and_then(|t| parse(t)).and_then(|value| to_python(&value)))
}

unsafe extern "C" fn dumps(_module: *mut PyObject, object: *mut PyObject) -> *mut PyObject {
    object_or_null(from_python(object, 0).and_then(|value| text_to_python(&value.to_string())))
}

/// Four threads without the interpreter's lock parse the text, each over and over, and send
/// what they get to each other; who receives it checks it and lets it go.  Returns how many
/// were right.
fn exchange(text: &str, rounds: usize) -> usize {
    const THREADS: usize = 4;
    let expected: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => return 0,
    };
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    thread::scope(|scope| {
        let workers: Vec<_> = receivers
            .into_iter()
            .enumerate()
            .map(|(number, receiver)| {
                let (next, expected) = (senders[(number + 1) % THREADS].clone(), &expected);
                scope.spawn(move || {
                    let parsed = || serde_json::from_str::<Value>(text);
                    (0..rounds)
                        .filter(|_| {
                            parsed().map_or(false, |value| next.send(value).is_ok())
                                && receiver.recv().map_or(false, |value| value == *expected)
                        })
                        .count()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum()
    })
}

unsafe extern "C" fn exchange_in_threads(
    _module: *mut PyObject,
    text: *mut PyObject,
) -> *mut PyObject {
    match text_of(text) {
        Ok(text) => {
            let state = PyEval_SaveThread();
            let right = exchange(text, 50);
            PyEval_RestoreThread(state);
            PyLong_FromSize_t(right)
        }
        Err(_) => std::ptr::null_mut(),
    }
}

/// A vector of `count` elements that are aligned to 4096 bytes, grown one by one: how many of
/// the addresses it had on the way were aligned so.
unsafe extern "C" fn aligned(_module: *mut PyObject, count: *mut PyObject) -> *mut PyObject {
    #[repr(align(4096))]
    struct Page([u8; 4096]);

    let count = PyLong_AsSize_t(count);
    if !PyErr_Occurred().is_null() {
        return std::ptr::null_mut();
    }
    let mut pages = Vec::new();
    let mut right = 0;
    for i in 0..count {
        pages.push(Page([i as u8; 4096]));
        right += usize::from(pages.as_ptr() as usize % 4096 == 0);
    }
    right *= usize::from(pages.iter().enumerate().all(|(i, page)| page.0 == [i as u8; 4096]));
    PyLong_FromSize_t(right)
}

/// Holds `size` bytes until it is called with another size; 0 lets go.  Returns their address.
unsafe extern "C" fn hold(_module: *mut PyObject, size: *mut PyObject) -> *mut PyObject {
    static HELD: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
    let size = PyLong_AsSize_t(size);
    if !PyErr_Occurred().is_null() {
        return std::ptr::null_mut();
    }
    let mut held = HELD.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *held = Vec::new();
    if held.try_reserve_exact(size).is_err() {
        return PyErr_NoMemory();
    }
    held.resize(size, 1);
    PyLong_FromVoidPtr(held.as_mut_ptr().cast())
}

unsafe extern "C" fn host_is_present(
    _module: *mut PyObject,
    _none: *mut PyObject,
) -> *mut PyObject {
    PyBool_FromLong(pymem::host_is_present().into())
}

unsafe extern "C" fn allocator(_module: *mut PyObject, _none: *mut PyObject) -> *mut PyObject {
    object_or_null(text_to_python(allocator::name()))
}

const fn method(name: &'static str, function: PyCFunction, flags: i32) -> PyMethodDef {
    PyMethodDef {
        ml_name: name.as_ptr().cast(),
        ml_meth: PyMethodDefPointer { PyCFunction: function },
        ml_flags: flags,
        ml_doc: std::ptr::null(),
    }
}

static mut METHODS: [PyMethodDef; 8] = [
    method("loads\0", loads, METH_O),
    method("dumps\0", dumps, METH_O),
    method("exchange_in_threads\0", exchange_in_threads, METH_O),
    method("aligned\0", aligned, METH_O),
    method("hold\0", hold, METH_O),
    method("allocator\0", allocator, METH_NOARGS),
    method("host_is_present\0", host_is_present, METH_NOARGS),
    PyMethodDef::zeroed(),
];

static mut MODULE: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: "pymem_json\0".as_ptr().cast(),
    m_doc: std::ptr::null(),
    m_size: -1,
    m_methods: std::ptr::null_mut(), // below
    m_slots: std::ptr::null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};

/// What the interpreter calls when the module is imported.
///
/// # Safety
///
/// The interpreter's lock is held.
#[no_mangle]
#[allow(non_snake_case)]
pub unsafe extern "C" fn PyInit_pymem_json() -> *mut PyObject {
    let module = std::ptr::addr_of_mut!(MODULE);
    (*module).m_methods = std::ptr::addr_of_mut!(METHODS).cast();
    PyModule_Create(module)
}
