"""Floor 2: what stands between an application and the open web.

    gate     counts and sizes of a request          proxies  who is believed about the client
    syntax   text that must be well-formed          hosts    which names we answer to
    jsons    depth and ambiguity of JSON            headers, csp  what every answer carries
    bodies   metered request bodies                 pages    what an error looks like

Plain functions; `battery.py` is the one module that sees the application.
"""
