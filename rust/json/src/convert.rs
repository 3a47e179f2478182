//! Python's objects and JSON's values, one into the other.  All of it needs the interpreter's
//! lock.  An error is a Python exception that has been set.

use std::ffi::CStr;
use std::ptr;

use pyo3_ffi::*;
use serde_json::{Map, Number, Value};

pub(crate) struct Raised;
pub(crate) type Result<T> = std::result::Result<T, Raised>;

/// How deep values may be nested.
const DEPTH_MAX: usize = 128;

pub(crate) fn raise<T>(exception: *mut PyObject, message: &str) -> Result<T> {
    let text = message.replace('\0', "?") + "\0";
    unsafe { PyErr_SetString(exception, text.as_ptr().cast()) };
    Err(Raised)
}

fn checked(object: *mut PyObject) -> Result<*mut PyObject> {
    if object.is_null() {
        Err(Raised)
    } else {
        Ok(object)
    }
}

/// A new reference.
pub(crate) unsafe fn to_python(value: &Value) -> Result<*mut PyObject> {
    match value {
        Value::Null => Ok(new_reference(Py_None())),
        Value::Bool(truth) => Ok(PyBool_FromLong((*truth).into())),
        Value::Number(number) => number_to_python(number),
        Value::String(text) => text_to_python(text),
        Value::Array(values) => {
            let list = checked(PyList_New(values.len() as Py_ssize_t))?;
            for (i, value) in values.iter().enumerate() {
                let item = to_python(value).map_err(|e| released(list, e))?;
                PyList_SetItem(list, i as Py_ssize_t, item); // takes the reference
            }
            Ok(list)
        }
        Value::Object(members) => {
            let dict = checked(PyDict_New())?;
            for (key, value) in members {
                add_member(dict, key, value).map_err(|e| released(dict, e))?;
            }
            Ok(dict)
        }
    }
}

unsafe fn add_member(dict: *mut PyObject, key: &str, value: &Value) -> Result<()> {
    let key = text_to_python(key)?;
    let value = to_python(value).map_err(|e| released(key, e))?;
    let status = PyDict_SetItem(dict, key, value);
    Py_DECREF(key);
    Py_DECREF(value);
    if status == 0 {
        Ok(())
    } else {
        Err(Raised)
    }
}

fn new_reference(object: *mut PyObject) -> *mut PyObject {
    unsafe { Py_INCREF(object) };
    object
}

unsafe fn released(object: *mut PyObject, error: Raised) -> Raised {
    Py_DECREF(object);
    error
}

unsafe fn number_to_python(number: &Number) -> Result<*mut PyObject> {
    checked(if let Some(i) = number.as_i64() {
        PyLong_FromLongLong(i)
    } else if let Some(u) = number.as_u64() {
        PyLong_FromUnsignedLongLong(u)
    } else {
        PyFloat_FromDouble(number.as_f64().unwrap_or(f64::NAN))
    })
}

pub(crate) unsafe fn text_to_python(text: &str) -> Result<*mut PyObject> {
    checked(PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t))
}

/// The text of a str, for as long as the object lives.
pub(crate) unsafe fn text_of<'a>(object: *mut PyObject) -> Result<&'a str> {
    let mut length = 0;
    let start = PyUnicode_AsUTF8AndSize(object, &mut length);
    if start.is_null() {
        return Err(Raised);
    }
    let bytes = std::slice::from_raw_parts(start.cast::<u8>(), length as usize);
    Ok(std::str::from_utf8_unchecked(bytes))
}

pub(crate) unsafe fn from_python(object: *mut PyObject, depth: usize) -> Result<Value> {
    if depth > DEPTH_MAX {
        return raise(PyExc_ValueError, "nested too deeply");
    }
    if object == Py_None() {
        Ok(Value::Null)
    } else if PyBool_Check(object) != 0 {
        Ok(Value::Bool(object == Py_True()))
    } else if PyUnicode_Check(object) != 0 {
        Ok(Value::String(text_of(object)?.to_owned()))
    } else if PyLong_Check(object) != 0 {
        integer_from_python(object)
    } else if PyFloat_Check(object) != 0 {
        match Number::from_f64(PyFloat_AsDouble(object)) {
            Some(number) => Ok(Value::Number(number)),
            None => raise(PyExc_ValueError, "JSON has no infinities and no NaN"),
        }
    } else if PyList_Check(object) != 0 {
        (0..PyList_Size(object))
            .map(|i| from_python(PyList_GetItem(object, i), depth + 1))
            .collect()
    } else if PyDict_Check(object) != 0 {
        members_from_python(object, depth)
    } else {
        let name = CStr::from_ptr((*Py_TYPE(object)).tp_name).to_string_lossy();
        raise(PyExc_TypeError, &format!("JSON has no {name}"))
    }
}

unsafe fn integer_from_python(object: *mut PyObject) -> Result<Value> {
    let mut overflow = 0;
    let i = PyLong_AsLongLongAndOverflow(object, &mut overflow);
    if overflow == 0 {
        return Ok(i.into());
    }
    let u = PyLong_AsUnsignedLongLong(object);
    if PyErr_Occurred().is_null() {
        Ok(u.into())
    } else {
        Err(Raised)
    }
}

unsafe fn members_from_python(dict: *mut PyObject, depth: usize) -> Result<Value> {
    let mut members = Map::with_capacity(PyDict_Size(dict) as usize);
    let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
    while PyDict_Next(dict, &mut position, &mut key, &mut value) != 0 {
        if PyUnicode_Check(key) == 0 {
            return raise(PyExc_TypeError, "keys must be str");
        }
        members.insert(text_of(key)?.to_owned(), from_python(value, depth + 1)?);
    }
    Ok(Value::Object(members))
}
