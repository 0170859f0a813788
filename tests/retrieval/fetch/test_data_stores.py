"""The data stores through their own client, unmodified: jobs, costs, memory, faults."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.orders import (
    INTERIM,
    VALIDATED,
    Held,
    forecast_orders,
    global_orders,
    inventory_orders,
    reanalysis_orders,
    weather_orders,
)
from dacno2_s5p.sources.requests import requests
from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Endpoints, Query
from retrieval.fetch.collect import Collector, Wanted
from retrieval.fetch.data_stores import JOBS, DataStore, Order, is_ordered
from retrieval.fetch.transfer import Ledger
from retrieval.fetch.web import Web
from tests.retrieval.fetch.server import Reply

pytest.importorskip("ecmwf.datastores")

CONTENT = b"PK\x05\x06" + b"\0" * 18
ORDER = Order("cams", "june.zip", "ADS", "data-set", {"year": ["2023"], "month": ["06"]})
PROCESS = "/api/retrieve/v1/processes/data-set"
QUERY = Query(np.datetime64("2023-06-29"), np.datetime64("2023-07-02"))


class Store:
    """The service's side of a job: accepted, running, successful."""

    def __init__(self, service, states=("accepted", "running", "successful")):
        self.service, self.states, self.n_job = service, list(states), 0
        url = service.url
        service.on("/api/catalogue/v1/messages", Reply({"messages": []}))
        service.on(
            PROCESS,
            Reply(
                {
                    "id": "data-set",
                    "links": [{"rel": "self", "href": f"{url}{PROCESS}"}],
                    "message": "",
                }
            ),
        )
        service.on(f"{PROCESS}/constraints", Reply({"year": ["2023"]}), method="POST")
        service.on(f"{PROCESS}/costing", Reply({"cost": 5.0, "limit": 10.0}), method="POST")
        service.on(f"{PROCESS}/execution", self.submit, method="POST")
        service.on("/api/retrieve/v1/jobs/job1", self.look)
        service.on("/api/retrieve/v1/jobs/job1/results", self.results)
        service.file("/data/june", CONTENT)

    def job(self, state):
        """Return what is said of the job."""
        base = f"{self.service.url}/api/retrieve/v1/jobs/job1"
        return {
            "jobID": "job1",
            "processID": "data-set",
            "type": "process",
            "status": state,
            "created": "2023-07-01T00:00:00",
            "updated": "2023-07-01T00:00:00",
            "links": [
                {"rel": "monitor", "href": base, "type": "application/json"},
                {"rel": "self", "href": base, "type": "application/json"},
                {"rel": "results", "href": f"{base}/results"},
            ],
        }

    def submit(self, asked):
        """Accept a request."""
        self.n_job += 1
        self.body = asked.json
        return Reply(self.job("accepted"), 201)

    def look(self, asked):
        """Say how the job is, each time a state further."""
        del asked
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Reply(self.job(state))

    def results(self, asked):
        """Hand over the file."""
        del asked
        if self.states[0] == "failed":
            return Reply({"title": "job failed", "detail": "no such month", "traceback": "x"}, 400)
        value = {
            "href": f"{self.service.url}/data/june",
            "type": "application/zip",
            "file:size": len(CONTENT),
            "file:checksum": hashlib.md5(CONTENT).hexdigest(),
            "file:local_path": "x",
        }
        return Reply({"asset": {"value": value}})


@pytest.fixture(autouse=True)
def key(monkeypatch):
    """Give a key to the client."""
    monkeypatch.setenv("ECMWF_DATASTORES_KEY", "secret-key")


@pytest.fixture
def open_store(service):
    """Return a function that opens the store of the service with pauses of a moment."""

    def open_store():
        places = Endpoints({"ADS": f"{service.url}/api"}, {})
        return DataStore("ADS", places, Web(pause=0.001, tries=3))

    return open_store


def test_a_request_is_submitted_waited_for_and_brought(service, open_store, tmp_path):
    """Its body is ours to the letter; the file is checked; nothing of the job is left."""
    at_service = Store(service)
    ledger = Ledger(tmp_path / "fetched.jsonl")
    path = open_store().fetch(ORDER, tmp_path / "cams", ledger)
    assert path.read_bytes() == CONTENT
    assert at_service.body == {"inputs": dict(ORDER.body)}
    assert json.loads((tmp_path / "cams" / JOBS).read_text()) == {}
    record = ledger.read()["cams", "june.zip"]
    assert is_ordered(ORDER, tmp_path / "cams", record)
    other = Order("cams", "june.zip", "ADS", "data-set", {"year": ["2022"]})
    assert not is_ordered(other, tmp_path / "cams", record), "another request, same name"
    assert "secret-key" not in ledger.path.read_text()


def test_a_call_that_was_killed_finds_its_job_again(service, open_store, tmp_path):
    """The number of the job is remembered before it is waited for; it is not asked for twice."""
    at_service = Store(service)

    class Killed(BaseException):
        """Ctrl-C."""

    def kill(asked):
        raise Killed

    folder = tmp_path / "cams"
    ledger = Ledger(tmp_path / "fetched.jsonl")
    store = open_store()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retrieval.fetch.data_stores.download", lambda *_, **__: kill(None))
        with pytest.raises(Killed):
            store.fetch(ORDER, folder, ledger)
    assert json.loads((folder / JOBS).read_text()) == {ORDER.key: "job1"}
    open_store().fetch(ORDER, folder, ledger)
    assert at_service.n_job == 1


def test_a_job_that_fails_is_told_and_forgotten(service, open_store, tmp_path):
    """The service's own words; the next call asks anew."""
    Store(service, ["failed"])
    with pytest.raises(FetchError, match=r"request for june.zip. .*no such month"):
        open_store().fetch(ORDER, tmp_path, Ledger(tmp_path / "f"))
    assert json.loads((tmp_path / JOBS).read_text()) == {}


def test_costs_and_constraints_are_asked_before_a_request_is_queued(service, open_store, tmp_path):
    """Too dear, or a month the store does not have: refused, and nothing is queued."""
    at_service = Store(service)
    store = open_store()
    assert store.cost(ORDER) == "cost 5 of 10"
    service.on(f"{PROCESS}/costing", Reply({"cost": 50.0, "limit": 10.0}), method="POST")
    with pytest.raises(FetchError, match=r"cost must be at most 10. Given 50 for june.zip"):
        store.fetch(ORDER, tmp_path, Ledger(tmp_path / "f"))
    service.on(f"{PROCESS}/constraints", Reply({"year": ["2022"]}), method="POST")
    with pytest.raises(FetchError, match=r"year must be one of 2022. Given 2023"):
        store.fetch(ORDER, tmp_path, Ledger(tmp_path / "f"))
    assert at_service.n_job == 0


def test_a_licence_that_is_not_accepted_says_where(service, open_store, tmp_path):
    """403 with the store's words and the page of the data set."""
    Store(service)
    refused = {"title": "permission denied", "detail": "required licences not accepted"}
    service.on(f"{PROCESS}/execution", Reply(refused, 403), method="POST")
    with pytest.raises(
        FetchError, match=r"licences not accepted.*Accept the licence at https://ads"
    ):
        open_store().fetch(ORDER, tmp_path, Ledger(tmp_path / "f"))


def test_without_a_key_the_line_says_where_it_is(open_store, monkeypatch, tmp_path):
    """The environment or the client's own file, which is read."""
    monkeypatch.delenv("ECMWF_DATASTORES_KEY")
    with pytest.raises(FetchError, match=r"Set ECMWF_DATASTORES_KEY, or write 'key: TOKEN' into"):
        open_store().cost(ORDER)
    (tmp_path / ".ecmwfdatastoresrc").write_text("url: http://x\nkey: abc\n")
    assert open_store().client.key == "abc"


def test_the_first_request_that_the_store_takes_is_sent(service, tmp_path):
    """Validated before interim data."""
    Store(service)
    last = Order("cams", "july.zip", "ADS", "data-set", {"year": ["2022"]})
    places = Endpoints({"ADS": f"{service.url}/api"}, {})
    collector = Collector(tmp_path, places, Web(pause=0.001))
    (outcome,) = collector.run([Wanted("cams", orders=(last, ORDER))])
    assert (outcome.status, outcome.path) == ("fetched", tmp_path / "cams" / "june.zip")
    (again,) = collector.run([Wanted("cams", orders=(last, ORDER))])
    assert again.status == "there"


def test_weather_requests_hold_what_prepare_reads():
    """Variables, levels and hours are those of --what-to-download, split by month."""
    table, preparation = InputTable.default(), Preparation()
    found = weather_orders(table, preparation, QUERY)
    listed = {r.product.partition(" ")[0]: r.items for r in requests(table, preparation)}
    names = [o.name for o in found]
    assert names == [
        "era5_single_2023-06-28_2023-06-30.nc",
        "era5_pressure_2023-06-28_2023-06-30.nc",
        "era5_single_2023-07-01_2023-07-02.nc",
        "era5_pressure_2023-07-01_2023-07-02.nc",
    ]
    for order in found:
        items = listed[order.collection]
        assert ", ".join(order.body["variable"]) == items["variables"]
        assert order.body["area"] == [56.0, -10.0, 40.0, 10.0]
        if "pressure" in order.name:
            assert f"{', '.join(order.body['pressure_level'])} hPa" == items["levels"]
    assert found[0].body["day"] == ["28", "29", "30"]


def test_other_requests_are_split_as_the_limits_ask():
    """Months of the reanalysis, weeks of forecasts, years of the inventory."""
    preparation = Preparation()
    for stage in (VALIDATED, INTERIM):
        months = [o.body["month"] for o in reanalysis_orders(preparation, QUERY, stage)]
        assert months == [["06"], ["07"]]
    heights = reanalysis_orders(preparation, QUERY, VALIDATED)[0].body["level"]
    assert heights == ["0", "50", "250", "500", "1000", "2000", "3000", "5000"]
    long = Query(np.datetime64("2023-06-01"), np.datetime64("2023-06-10"))
    weeks = [o.body["date"] for o in forecast_orders(preparation, long, "forecast")]
    assert weeks == [["2023-06-01/2023-06-07"], ["2023-06-08/2023-06-10"]]
    assert forecast_orders(preparation, long, "forecast")[0].body["leadtime_hour"] == [
        *("11", "12", "13")
    ]
    assert len(global_orders(long)) == 2
    assert [o.body["year"] for o in inventory_orders(QUERY)] == [["2023"]]


class Shelf:
    """A workspace with files of requests, as the record knows them."""

    def __init__(self, folder):
        self.folder, self.records = folder, {}

    def put(self, orders, time):
        """Note files of some requests as fetched then."""
        for order in orders:
            path = self.folder / order.kind / order.name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(CONTENT)
            self.records[order.kind, order.name] = {
                "size": len(CONTENT), "version": order.remote.version, "time": time,
            }  # fmt: skip

    def new(self, query, today="2023-07-10", **preparation):
        """Return the weather to ask for: names of single levels that are not there."""
        orders = weather_orders(
            InputTable.default(), Preparation(**preparation), query,
            Held(self.folder, self.records), np.datetime64(today),
        )  # fmt: skip
        assert len(orders) % 2 == 0
        return [
            o.name[12:-3] for o in orders if "single" in o.name
            and not is_ordered(o, self.folder / o.kind, self.records.get((o.kind, o.name)))
        ]  # fmt: skip


def test_a_period_that_grows_asks_for_its_new_days(tmp_path):
    """Days of whole files of the same request are not asked for again; gaps are filled."""
    table, preparation = InputTable.default(), Preparation()
    shelf = Shelf(tmp_path)
    days = [np.datetime64(f"2023-06-{day:02d}") for day in (10, 12, 18, 20)]
    shelf.put(weather_orders(table, preparation, Query(*days[:2])), "2023-06-18")
    shelf.put(weather_orders(table, preparation, Query(*days[2:])), "2023-06-26")
    assert shelf.new(Query(days[0], days[1])) == []
    assert shelf.new(Query(days[0], days[3])) == ["2023-06-13_2023-06-16"]  # 17: hours before 18
    assert shelf.new(Query(days[0], days[1], (0.0, 44.0, 5.0, 48.0))) == ["2023-06-09_2023-06-12"]
    (tmp_path / "era5" / "era5_single_2023-06-09_2023-06-12.nc").write_bytes(b"cut")
    assert shelf.new(Query(days[0], days[1])) == ["2023-06-09_2023-06-12"]


def test_preliminary_weather_is_asked_for_again_once_it_is_final(tmp_path):
    """A hundred days later, once; what was fetched after that is final."""
    shelf = Shelf(tmp_path)
    orders = weather_orders(InputTable.default(), Preparation(), QUERY)
    shelf.put(orders, "2023-07-08T03:00:00+00:00")
    assert shelf.new(QUERY, "2023-10-07") == []
    assert shelf.new(QUERY, "2023-10-08") == ["2023-06-28_2023-06-30"]
    assert shelf.new(QUERY, "2023-11-01") == ["2023-06-28_2023-06-30", "2023-07-01_2023-07-02"]
    shelf.put(orders, "2023-11-01T03:00:00+00:00")
    assert shelf.new(QUERY, "2024-11-01") == []


def test_forecasts_of_days_that_are_there_are_not_asked_for_again(tmp_path):
    """Weeks are those of the new days."""
    shelf, day = Shelf(tmp_path), np.datetime64("2023-06-01")
    shelf.put(forecast_orders(Preparation(), Query(day, day + 8), "forecast"), "2023-06-10")
    held = Held(tmp_path, shelf.records)
    found = forecast_orders(Preparation(), Query(day, day + 10), "forecast", held)
    assert [order.name[-14:-4] for order in found] == ["2023-06-07", "2023-06-09", "2023-06-11"]


def test_validated_data_come_after_interim_ones(service, tmp_path):
    """The interim file is there; once the store takes the request before it, that is fetched."""
    Store(service)
    first = Order("cams", "validated.zip", "ADS", "data-set", {"year": ["2023"], "month": ["06"]})
    interim = Order("cams", "interim.zip", "ADS", "data-set", {"year": ["2023"], "month": ["07"]})
    places = Endpoints({"ADS": f"{service.url}/api"}, {})
    collector = Collector(tmp_path, places, Web(pause=0.001))
    service.on(f"{PROCESS}/constraints", Reply({"month": ["07"]}), method="POST")
    wanted = [Wanted("cams", orders=(first, interim))]
    assert next(iter(collector.run(wanted))).path == tmp_path / "cams" / "interim.zip"
    assert next(iter(collector.run(wanted))).status == "there"
    service.on(f"{PROCESS}/constraints", Reply({"month": ["06", "07"]}), method="POST")
    found = next(iter(collector.run(wanted)))
    assert (found.status, found.path) == ("fetched", tmp_path / "cams" / "validated.zip")
