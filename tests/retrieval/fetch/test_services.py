"""What services list becomes files: pages, versions, tokens, sites, tiles; faults are one line."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Endpoints, Query, Remote
from retrieval.fetch.copernicus_dataspace import (
    DataSpaceToken,
    odata_filter,
    search,
    search_mirror,
    search_s3,
)
from retrieval.fetch.earthdata import EarthdataToken
from retrieval.fetch.earthdata import search as search_nasa
from retrieval.fetch.eumetsat import open_token
from retrieval.fetch.eumetsat import search as search_eumetsat
from retrieval.fetch.ground_networks import eea, pandora
from retrieval.fetch.open_data import flights, population, terrain_tiles, zenodo
from retrieval.fetch.versions import best_days, best_orbits
from retrieval.fetch.web import host
from tests.retrieval.fetch.server import Reply

DAY = np.datetime64("2023-06-01")
QUERY = Query(DAY, DAY)
OFFL = "S5P_OFFL_L2__NO2____20230601T105432_20230601T123602_29190_03_020500_20230603T031243"


def endpoints(service):
    """Point every service to the one of the test."""
    url = service.url
    names = ("CDSE_CATALOGUE", "CDSE_DOWNLOAD", "PGN", "ZENODO", "DEM", "GISCO", "EEA", "CMR")
    more = ("EARTHDATA", "EUROCONTROL", "EUMETSAT", "S5P_MIRROR", "CDSE_S3")
    return Endpoints({"CDSE_IDENTITY": f"{url}/token"} | dict.fromkeys(names + more, url), {})


def entry(name, **more):
    """Return an entry of the catalogue."""
    return {"Id": f"id-{name[4:8]}", "Name": f"{name}.nc", "ContentLength": 7} | more


def test_all_pages_of_a_catalogue_are_read(service, web):
    """Three pages, linked; each orbit once."""
    names = [OFFL.replace("29190", str(29190 + i)) for i in range(3)]
    following = [{"@odata.nextLink": f"{service.url}/page{i}"} for i in (1, 2)] + [{}]
    pages = [Reply({"value": [entry(n)]} | f) for n, f in zip(names, following, strict=True)]
    service.on("/Products", pages[0])
    service.on("/page1", pages[1])
    service.on("/page2", pages[2])
    found = search("orbits", QUERY, endpoints(service), web)
    assert [r.name for r in found] == [f"{n}.nc" for n in names]
    asked = service.asked[0].query
    assert asked["$filter"] == odata_filter("orbits", QUERY)
    assert "L2__NO2___" in asked["$filter"]
    assert "$filter" not in service.asked[1].query, "the link of the next page says all"


def test_months_are_asked_for_one_by_one(service, web):
    """The catalogue skips over ten thousand entries at most."""
    service.on("/Products", Reply({"value": []}))
    days = Query(np.datetime64("2023-05-30"), np.datetime64("2023-07-02"))
    assert search("ctm", days, endpoints(service), web) == []
    ends = [a.query["$filter"].rsplit("lt ")[1][:10] for a in service.asked]
    assert ends == ["2023-06-01", "2023-07-01", "2023-07-03"]


def test_a_checksum_that_can_be_verified_is_taken(service, web):
    """MD5 stands beside BLAKE3, which Python does not have; none at all is no fault."""
    sums = [{"Algorithm": "BLAKE3", "Value": "1"}, {"Algorithm": "MD5", "Value": "ABC"}]
    service.on(
        "/Products",
        Reply({"value": [entry(OFFL, Checksum=sums), entry(OFFL.replace("29190", "29191"))]}),
    )
    first, second = search("orbits", QUERY, endpoints(service), web)
    assert first.checksum == ("md5", "abc")
    assert second.checksum is None
    assert (first.version, first.member) == ("OFFL 03 020500", ".nc")


def test_an_answer_that_is_no_list_is_one_line(service, web):
    """An error in JSON with status 200."""
    service.on("/Products", Reply({"detail": "maintenance"}))
    with pytest.raises(FetchError, match=r"must list products. Given .*maintenance"):
        search("orbits", QUERY, endpoints(service), web)


def remotes(*names):
    """Return remote files of names."""
    return [Remote("orbits", f"{n}.nc", "http://x/") for n in names]


def test_of_an_orbit_s_versions_one_is_taken():
    """RPRO over OFFL over NRTI, then collection, processor, creation; in any order."""
    nrti = OFFL.replace("OFFL", "NRTI").replace("T105432_", "T110000_")
    rpro = OFFL.replace("OFFL", "RPRO").replace("020500", "020400")
    later = rpro.replace("20230603T031243", "20240101T000000")
    newer = rpro.replace("020400", "020600")
    cases = [
        ((nrti, OFFL), OFFL),
        ((OFFL, rpro), rpro),
        ((rpro, later), later),
        ((later, newer), newer),
        ((nrti, OFFL, rpro, later, newer), newer),
    ]
    for names, expected in cases:
        for order in (names, names[::-1]):
            assert [r.name for r in best_orbits(remotes(*order))] == [f"{expected}.nc"]


def test_granules_of_an_orbit_lie_beside_each_other():
    """Near-real-time files hold five minutes each: all of the last version are needed."""
    first = OFFL.replace("OFFL", "NRTI")
    second = first.replace("T105432", "T105932")
    again = second.replace("20230603T031243", "20230603T050000")
    found = [r.name for r in best_orbits(remotes(first, second, again))]
    assert found == [f"{first}.nc", f"{again}.nc"]


def test_of_a_day_s_fields_the_last_created_is_taken():
    """AUX_CTMANA is made several times a day."""
    name = "S5P_OPER_AUX_CTMANA_20230601T000000_20230602T000000_20230605T{}"
    early, late = (name.format(x) for x in ("010000", "090000"))
    assert [r.name for r in best_days(remotes(late, early))] == [f"{late}.nc"]


def test_the_token_of_the_data_space_is_renewed_by_its_refresh_token(service, web, monkeypatch):
    """Password once, then the refresh token: sessions are limited."""
    service.on(
        "/token",
        Reply({"access_token": "a", "refresh_token": "r"}),
        Reply({"access_token": "b", "refresh_token": "s"}),
        method="POST",
    )
    monkeypatch.setenv("CDSE_USERNAME", "me")
    monkeypatch.setenv("CDSE_PASSWORD", "secret")
    token = DataSpaceToken(endpoints(service), web)
    assert token.headers() == {"Authorization": "Bearer a"}
    assert token.renew()
    assert token.headers() == {"Authorization": "Bearer b"}
    assert b"grant_type=password" in service.asked[0].body
    assert b"refresh_token=r" in service.asked[1].body
    assert "secret" not in repr(token)


def test_without_an_account_the_line_says_where_to_register(service, web, tmp_path):
    """Environment, netrc, and the page; netrc works."""
    with pytest.raises(FetchError, match=r"Set CDSE_USERNAME .*netrc; register at https://datasp"):
        DataSpaceToken(endpoints(service), web).headers()
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password word\n")
    service.on("/token", Reply({"access_token": "a"}), method="POST")
    assert DataSpaceToken(endpoints(service), web).headers()["Authorization"] == "Bearer a"
    assert b"username=me&password=word" in service.asked[0].body


def test_the_mirror_lists_orbits_that_may_see_the_box(service, web):
    """Pages of the listing; an orbit over the Pacific is left out, a whole MD5 is taken."""
    pacific = OFFL.replace(
        "20230601T105432_20230601T123602_29190", "20230601T003000_20230601T021130_29184"
    )
    item = "<Contents><Key>{}/{}.nc</Key><Size>9</Size><ETag>&quot;{}&quot;</ETag></Contents>"
    folder = "OFFL/L2__NO2___/2023/06/01"
    page = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3">{}</ListBucketResult>'
    first = page.format(
        item.format(folder, pacific, "x") + "<NextContinuationToken>more</NextContinuationToken>"
    )
    second = page.format(item.format(folder, OFFL, "0" * 32))

    def listing(asked):
        if not asked.query["prefix"].startswith("OFFL"):
            return Reply(page.format(""))
        return Reply(second if "continuation-token" in asked.query else first)

    service.on("/", listing)
    found = search_mirror(QUERY, endpoints(service), web)
    assert [(r.name, r.size, r.checksum) for r in found] == [(f"{OFFL}.nc", 9, ("md5", "0" * 32))]
    assert found[0].url == f"{service.url}/{folder}/{OFFL}.nc"


def test_nasa_s_catalogue_is_read_to_its_end(service, web, monkeypatch):
    """Pages follow a header; size and checksum are the granule's; the token goes to its host."""
    url = f"{service.url}/TEMPO_NO2_L2_V04_20251001T150000Z_S005G03.nc"
    about = {"SizeInBytes": 12, "Checksum": {"Value": "AB", "Algorithm": "MD5"}}
    umm = {
        "RelatedUrls": [{"Type": "GET DATA", "URL": url}, {"Type": "VIEW", "URL": "http://x"}],
        "DataGranule": {"ArchiveAndDistributionInformation": [about]},
        "CollectionReference": {"Version": "V04"},
    }

    def granules(asked):
        if "CMR-Search-After" in asked.headers:
            return Reply({"items": []})
        return Reply({"items": [{"umm": umm}]}, headers={"CMR-Search-After": "[1]"})

    service.on("/search/granules.umm_json", granules)
    found = search_nasa("tempo", QUERY, endpoints(service), web)
    assert [(r.url, r.size, r.checksum, r.version) for r in found] == [
        (url, 12, ("md5", "ab"), "V04")
    ]
    assert service.asked[0].query["bounding_box"] == "-10,40,10,56"
    token = EarthdataToken(endpoints(service), web, frozenset({host(url)}))
    with pytest.raises(FetchError, match=r"EARTHDATA_USERNAME.*urs.earthdata.nasa.gov"):
        token.headers()
    monkeypatch.setenv("EARTHDATA_TOKEN", "t")
    assert token.headers() == {"Authorization": "Bearer t"}
    assert not token.renew(), "a token that was given cannot be renewed here"


def test_station_files_of_both_data_sets_are_listed(service, web):
    """Verified and up-to-date files may have one name; which value counts is decided on reading."""
    service.on(
        "/ParquetFile/urls",
        lambda a: Reply(f"ParquetFileUrl\nhttp://blob/{a.json['dataset']}/FR/SPO.FR1.parquet\n"),
        method="POST",
    )
    found = eea(QUERY, endpoints(service), web)
    assert [(r.name, r.version) for r in found] == [
        ("E1a_SPO.FR1.parquet", "E1a"),
        ("E2a_SPO.FR1.parquet", "E2a"),
    ]
    assert service.asked[0].json["dateTimeEnd"] == "2023-06-01T23:59:59Z"
    service.on("/ParquetFile/urls", Reply("<html>"), method="POST")
    with pytest.raises(FetchError, match="must be a list of addresses"):
        eea(QUERY, endpoints(service), web)


def test_spectrometers_are_found_through_the_network_s_folders(service, web):
    """Direct sun and sky of the present retrieval; other gases and levels are left out."""
    page = '<a href="../">up</a>' + '<a href="{}">x</a>' * 4
    service.on("/", Reply('<a href="Cabauw/">x</a><a href="Rome-SAP/">x</a>'))
    service.on("/Cabauw/", Reply('<a href="Pandora118s1/">x</a><a href="notes/">x</a>'))
    names = [f"Pandora118s1_Cabauw_L2_{c}.txt" for c in ("rnvs3p1-8", "rnvh3p1-8", "rout2p1-8")]
    service.on("/Cabauw/Pandora118s1/L2/", Reply(page.format(*names, "x.html")))
    found = pandora(endpoints(service), web, ["Cabauw"])
    assert [r.version for r in found] == ["rnvh3p1-8", "rnvs3p1-8"]
    assert found[0].url.endswith(f"/Cabauw/Pandora118s1/L2/{names[1]}")
    with pytest.raises(FetchError, match=r"Given Nowhere. Choose among Cabauw, Rome-SAP"):
        pandora(endpoints(service), web, ["Nowhere"])


def test_zenodo_gives_sizes_and_checksums(service, web):
    """Names, sizes, checksums and addresses of a record's files."""
    item = {"key": "a.nc", "size": 5, "checksum": "md5:AA", "links": {"self": "http://z/a.nc"}}
    service.on("/api/records/16986854", Reply({"files": [item], "metadata": {"version": "1.0"}}))
    found = zenodo("16986854", endpoints(service), web)
    assert [(r.name, r.size, r.checksum, r.version) for r in found] == [
        ("a.nc", 5, ("md5", "aa"), "1.0")
    ]
    with pytest.raises(FetchError, match="404"):
        zenodo("1", endpoints(service), web)


def test_terrain_tiles_are_those_on_land(service, web):
    """Tiles of a degree named by their south-west corner; those that are not listed are sea."""
    names = [f"Copernicus_DSM_COG_30_N4{y}_00_{x}_00_DEM" for y, x in ((8, "W001"), (9, "E000"))]
    service.on(
        "/tileList.txt", Reply("\n".join([*names, "Copernicus_DSM_COG_30_S10_00_E000_00_DEM"]))
    )
    found = terrain_tiles((-1.0, 48.0, 1.0, 50.0), endpoints(service), web)
    assert [r.name for r in found] == [f"{n}.tif" for n in names]
    assert found[0].url == f"{service.url}/{names[0]}/{names[0]}.tif"


def test_tables_of_years_and_the_raster_of_an_archive(service):
    """One table a calendar year of flights; of Eurostat's archive the raster alone."""
    days = Query(np.datetime64("2022-12-31"), np.datetime64("2023-01-01"))
    names = [r.name for r in flights(days, endpoints(service))]
    assert names == ["airport_traffic_2022.csv", "airport_traffic_2023.csv"]
    assert population(endpoints(service)).member == "JRC_1K_POP_2018.tif"


def test_eumetsat_s_own_client_searches_here(service, web, monkeypatch):
    """The client `eumdac`, unmodified, against the service: token, pages, addresses, no secrets."""
    with pytest.raises(FetchError, match=r"collection .* must be named"):
        search_eumetsat("sentinel4", QUERY, None, endpoints(service))
    with pytest.raises(FetchError, match="Set EUMDAC_KEY and EUMDAC_SECRET"):
        open_token(endpoints(service))
    monkeypatch.setenv("EUMDAC_KEY", "k")
    monkeypatch.setenv("EUMDAC_SECRET", "s")
    service.on("/token", Reply({"access_token": "t", "expires_in": 3600}), method="POST")
    service.on(
        "/data/search-products/1.0.0/os",
        Reply({"totalResults": 1, "features": [{"id": "S4_NO2_1", "properties": {}}]}),
    )
    service.on(
        "/data/browse/1.0.0/collections/EO%3AEUM%3ADAT%3A1",
        Reply({"collection": {"abstract": "", "title": "", "properties": {}}}),
    )
    options = "".join(f'<P name="{n}"/>' for n in ("bbox", "dtstart", "dtend", "set"))
    service.on(
        "/data/search-products/1.0.0/osdd",
        Reply(f'<D><Url type="application/json">{options}</Url></D>'),
    )
    found = search_eumetsat("sentinel4", QUERY, "EO:EUM:DAT:1", endpoints(service))
    assert [r.name for r in found] == ["S4_NO2_1.zip"]
    assert "EO%3AEUM%3ADAT%3A1/products/S4_NO2_1" in found[0].url
    token, _ = open_token(endpoints(service))
    assert token.headers() == {"Authorization": "Bearer t"}


def test_the_object_store_gives_single_files(service, web, monkeypatch):
    """A file of a bucket by a signed address: boto3, unmodified, against moto's server."""
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    with pytest.raises(FetchError, match="Set CDSE_S3_ACCESS_KEY"):
        search_s3(QUERY, endpoints(service), web)
    monkeypatch.setenv("CDSE_S3_ACCESS_KEY", "k")
    monkeypatch.setenv("CDSE_S3_SECRET_KEY", "secret")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        place = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        store = boto3.client(
            "s3",
            endpoint_url=place,
            region_name="us-east-1",
            aws_access_key_id="k",
            aws_secret_access_key="secret",
        )
        store.create_bucket(Bucket="eodata")
        folder = f"Sentinel-5P/TROPOMI/L2__NO2___/2023/06/01/{OFFL}"
        store.put_object(Bucket="eodata", Key=f"{folder}/{OFFL}.nc", Body=b"CDF data")
        service.on("/Products", Reply({"value": [entry(OFFL, S3Path=f"/eodata/{folder}")]}))
        places = endpoints(service)
        places = Endpoints({**places.given, "CDSE_S3": place}, {})
        (found,) = search_s3(QUERY, places, web)
        assert (found.name, found.size) == (f"{OFFL}.nc", 8)
        assert found.checksum is not None
        assert web.get(found.url).content == b"CDF data"
        service.on("/Products", Reply({"value": [entry(OFFL, S3Path="/eodata/elsewhere")]}))
        with pytest.raises(FetchError, match="must have the file"):
            search_s3(QUERY, places, web)
    finally:
        server.stop()
