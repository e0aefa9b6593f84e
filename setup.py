"""Build of the optional native part; everything else stands in pyproject.toml.

Without a C compiler the package builds all the same and takes the Python path, which is the
specification of the native one; `filterd_build_info{compiled}` shows which of them runs.
"""

from setuptools import Extension, setup

PARTS = (
    "drain",
    "padding",
    "forward",
    "http2",
    "http2_library",
    "lanes",
    "memo",
    "names",
    "networks",
    "outline",
    "refusal",
    "reply",
    "trie",
)
MORE = (
    "alike",
    "forward_send",
    "drain_object",
    "forward_events",
    "forward_judge",
    "frames_object",
    "http2_object",
    "forward_object",
    "forward_take",
    "memo_object",
    "names_object",
    "networks_object",
    "outline_object",
    "rows",
    "standby_object",
)

FLAGS = [
    "-O2",
    "-g0",  # debug information holds the directory: two builds would differ
    "-fno-plt",
    "-Wall",
    "-Wextra",
    "-Wno-missing-field-initializers",
    "-Wno-cast-function-type",
]

setup(
    ext_modules=[
        Extension(
            "filterd.lists._native",
            sources=[
                f"filterd/lists/native/{name}.c"
                for name in ("claiming", "module", "numbering", "sorting", "turning")
            ],
            depends=["filterd/lists/native/columns.h"],
            extra_compile_args=FLAGS,
            optional=True,
        ),
        Extension(
            "filterd.listen._native",
            sources=[f"filterd/listen/native/{name}.c" for name in ("module", *MORE, *PARTS)],
            depends=[
                f"filterd/listen/native/{name}.h" for name in (*PARTS, "bits", "objects", "octets")
            ],
            extra_compile_args=FLAGS,
            optional=True,
        ),
    ]
)
