"""Texts that attack whoever evaluates, renders, expands or converts what it was only asked to read."""

from __future__ import annotations

from pathlib import Path

CANARY = "canary-made-by-a-payload"  # a file of this name in the folder of a case means that a payload ran


def hostile_texts(folder: str = ".") -> list[str]:
    """Return payloads; those that would run something make a file called CANARY in `folder`."""
    target = (Path(folder) / CANARY).as_posix()
    return [
        f"__import__('os').system('touch {target}')",
        f"__import__('pathlib').Path('{target}').touch()",
        f"open('{target}','w')",
        f"exec(\"open('{target}','w')\")",
        f"$(touch {target})",
        f"`touch {target}`",
        f"; touch {target} #",
        f"| touch {target}",
        f"y); open('{target}','w'); (y",
        "().__class__.__bases__[0].__subclasses__()",
        "lambda: 0",
        "{{7*7}}",
        "${7*7}",
        "#{7*7}",
        "{0.__class__}",
        "{y.__init__.__globals__}",
        "%s%s%s%n%n%n",
        "${jndi:ldap://127.0.0.1:1/a}",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><svg/onload=alert(1)>',
        "javascript:alert(1)",
        "]]><!--",
        "'; DROP TABLE rows; --",
        "' OR 1=1 --",
        "=cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd",
        "../../../../etc/passwd",
        "/dev/zero",
        "file:///etc/passwd",
        "\x1b]0;title\x07\x1b[2J",
        "[red]markup[/red][link=http://127.0.0.1:1]x[/link]",
        "\u202egnp.exe",
        "\ufeffy",
        "\x00",
        "a\x00b",
        "\ud800",
        "\U0001d49a",
        "İi̇",
        "y" * 10_000,
        "",
        " ",
        "__class__",
        "__reduce__",
        "None",
        "nan",
        "NaN",
        "-inf",
        "Infinity",
        "null",
        "true",
        "^.*$",
        "*",
        "self",
        "nll",
        "index",
        "row",
        "sum",
    ]


def hostile_numbers() -> list[str]:
    """Return numbers as text that overflow, vanish, or are none."""
    return [
        "0", "-0", "-0.0", "1", "-1", "2", "0.5", "1.5", "255", "256", "-128", "65536", "2147483647", "2147483648",
        "-2147483649", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808",
        "-9223372036854775809", "18446744073709551616", "170141183460469231731687303715884105728", "1e15", "1e16",
        "1e308", "1.7976931348623157e308", "1.8e308", "1e309", "-1e309", "1e400", "1e-308", "5e-324", "1e-400",
        "2.2250738585072011e-308", "nan", "NaN", "inf", "-inf", "Infinity", "1_000", "1,5", "0x10", "1e", ".", "+1",
        "\uff11", "\u0663", "1e999999999", "-9999", "-9999.0", "-1e30", "1" * 400, "9" * 5000, "0." + "3" * 2000,
        "[" * 50, "true", "null", '""',
    ]  # fmt: skip
