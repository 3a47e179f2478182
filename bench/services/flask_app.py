"""A small web service in Flask: each request reads a document, changes it, renders it, and keeps a
part of it in the user's session, of which there are many. Some ask for a long report."""

import json
import random

from flask import Flask, render_template_string

SESSIONS = 400
REPORT_EACH = 40
REPORT_ROWS = 20000
PAGE = """<ul>
{% for row in rows %}<li class="{{ row.kind }}">{{ row.name }}: {{ row.sum }}</li>{% endfor %}
</ul>"""

app = Flask(__name__)
sessions = {}


def document(user, size):
    rows = [
        {"id": i, "name": f"item {user}-{i}", "kind": f"k{i % 7}", "prices": [i * 1.5] * (i % 9)}
        for i in range(size)
    ]
    return json.dumps({"user": user, "rows": rows})


@app.route("/<int:user>")
def answer(user):
    rng = random.Random(user)
    is_report = user % REPORT_EACH == 0
    read = json.loads(document(user, REPORT_ROWS if is_report else 200 + rng.randrange(1800)))
    for row in read["rows"]:
        row["sum"] = sum(row.pop("prices"))
    read["rows"].sort(key=lambda row: (row["kind"], -row["sum"]))
    sessions[user % SESSIONS] = read["rows"][: 20 + rng.randrange(80)]
    return render_template_string(PAGE, rows=read["rows"][:300])
