"""Panels, rows and dashboards in Grafana's classic JSON, which every version imports. See generate.py."""

# How wide a panel is, of 24 columns, and how high.
SIZES = {"timeseries": (8, 8), "stat": (4, 4), "bargauge": (8, 8), "table": (12, 8)}

GREEN, YELLOW, RED = "green", "yellow", "red"


def above(warning, critical):
    """Thresholds of something that is bad when it is large."""
    return [(None, GREEN), (warning, YELLOW), (critical, RED)]


def below(warning, critical):
    """Thresholds of something that is bad when it is small."""
    return [(None, RED), (critical, YELLOW), (warning, GREEN)]


def panel(title, unit, meaning, *queries, kind="timeseries", thresholds=None, width=None, maximum=None, links=None):
    """A query is `(expression, legend)`. The meaning says what is shown and, where it matters, what is wrong."""
    return {
        "kind": kind,
        "title": title,
        "unit": unit,
        "meaning": meaning,
        "queries": queries,
        "thresholds": thresholds,
        "width": width,
        "maximum": maximum,
    }


def stat(title, unit, meaning, *queries, **options):
    return panel(title, unit, meaning, *queries, kind="stat", **options)


def bars(title, unit, meaning, *queries, **options):
    return panel(title, unit, meaning, *queries, kind="bargauge", **options)


def table(title, unit, meaning, *queries, **options):
    return panel(title, unit, meaning, *queries, kind="table", **options)


def dashboard(uid, title, meaning, rows, variables=("instance",)):
    panels, y, number = [], 0, 0
    for heading, members in rows:
        number += 1
        place = {"x": 0, "y": y, "w": 24, "h": 1}
        panels.append({"id": number, "type": "row", "title": heading, "collapsed": False, "gridPos": place, "panels": []})
        y += 1
        x = highest = 0
        for member in members:
            number += 1
            width, height = SIZES[member["kind"]]
            width = member["width"] or width
            if x + width > 24:
                x, y, highest = 0, y + highest, 0
            panels.append(to_json(member, number, {"x": x, "y": y, "w": width, "h": height}))
            x, highest = x + width, max(highest, height)
        y += highest
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": meaning,
        "tags": ["counterfoil"],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "version": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "title": "Counterfoil",
                "tags": ["counterfoil"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "annotations": {"list": []},
        "templating": {"list": [DATASOURCE] + [VARIABLES[name] for name in variables]},
        "panels": panels,
    }


SOURCE = {"type": "prometheus", "uid": "${datasource}"}

DATASOURCE = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "hide": 0,
    "refresh": 1,
}


def variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        # When the time range changes: what was there yesterday can be chosen yesterday.
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


VARIABLES = {
    "instance": variable("instance", "Process", "label_values(counterfoil_build_info, instance)"),
    "queue": variable("queue", "Queue", "label_values(counterfoil_jobs, queue)"),
}


def to_json(member, number, place):
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": SOURCE,
            "expr": " ".join(expression.split()),
            "legendFormat": legend,
            "range": member["kind"] == "timeseries",
            "instant": member["kind"] != "timeseries",
            "format": "table" if member["kind"] == "table" else "time_series",
        }
        for index, (expression, legend) in enumerate(member["queries"])
    ]
    defaults = {"unit": member["unit"], "min": 0}
    if member["unit"] in ("short", "currency"):
        del defaults["min"]
        defaults["unit"] = "short"
    if member["maximum"] is not None:
        defaults["max"] = member["maximum"]
    steps = member["thresholds"] or [(None, GREEN)]
    defaults["thresholds"] = {
        "mode": "absolute",
        "steps": [{"value": value, "color": color} for value, color in steps],
    }
    if member["kind"] == "timeseries":
        defaults["color"] = {"mode": "palette-classic"}
        shown = {"mode": "dashed" if member["thresholds"] else "off"}
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "thresholdsStyle": shown}
    else:
        defaults["color"] = {"mode": "thresholds"}
    return {
        "id": number,
        "type": member["kind"],
        "title": member["title"],
        "description": member["meaning"],
        "datasource": SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": OPTIONS[member["kind"]],
    }


LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}

OPTIONS = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": LAST, "colorMode": "value", "graphMode": "none", "textMode": "auto"},
    "bargauge": {"reduceOptions": LAST, "orientation": "horizontal", "displayMode": "basic"},
    "table": {"showHeader": True},
}
