"""The head of the page of the quality report, a format string for its title. Its policy allows no scripts or external files."""

HEAD = """<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Quality of {title}</title>
<style>
body {{ font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; color: #1d2330;
       background: #fff; max-width: 1180px; margin: 2em auto; padding: 0 1.2em; }}
h1 {{ font-size: 1.7em; margin: 0 0 .6em; }}
h2 {{ font-size: 1.25em; margin: 2em 0 .5em; border-bottom: 1px solid #d9dde3; padding-bottom: .2em; }}
h3 {{ font-size: 1.05em; margin: 0 0 .3em; }}
.box, .finding {{ border-left: 5px solid; border-radius: 3px; padding: .7em 1em;
                   margin: .8em 0; background: #f6f7f9; }}
.tag {{ border-left: 4px solid; padding-left: .4em; white-space: nowrap; }}
.refused {{ border-color: #c0392b; }} .box.refused, .finding.refused {{ background: #fdecea; }}
.finding.refused h3 {{ color: #a5281b; }}
.left-out {{ border-color: #d9822b; }} .doubtful {{ border-color: #c9a227; }}
.clean {{ border-color: #2e8b57; background: #eaf6ef; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .92em; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25em .6em; text-align: left; vertical-align: top; border-bottom: 1px solid #e5e8ec; }}
thead th {{ border-bottom: 2px solid #c6ccd4; }}
.facts td:first-child {{ color: #5b6472; padding-right: 2em; white-space: nowrap; }}
.clips td {{ overflow-wrap: anywhere; }} .overview td:nth-child(-n+3) {{ white-space: nowrap; }}
.heat td {{ text-align: right; min-width: 2em; }} .heat thead th {{ vertical-align: bottom; }}
.heat th {{ white-space: nowrap; }}
.heat thead th:not(:first-child) {{ text-align: right; }}
.none {{ color: #a3abb7; }} .total {{ font-weight: 600; }}
.charts img {{ max-width: 100%; width: 572px; vertical-align: top; }}
.note {{ color: #5b6472; font-size: .9em; }}
a {{ color: #1d5f8a; }}
@media print {{ body {{ max-width: none; margin: 0; }} .finding {{ break-inside: avoid-page; }} }}
</style></head>"""
