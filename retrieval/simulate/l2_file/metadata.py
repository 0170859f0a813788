"""Global attributes and the METADATA groups of a synthetic L2 NO2 file.

The trees are declared as nested dictionaries: a dictionary is a group, anything else an attribute.
Group names hold colons, attribute names hold dots, as in real files.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.files.fills import FILL_FLOAT
from retrieval.l2.quality import QaSettings
from retrieval.simulate.l2_file.content import MILLISECOND, iso_time
from retrieval.simulate.l2_file.statistics import HISTOGRAM_RANGES

if TYPE_CHECKING:
    from retrieval.simulate.l2_file.content import L2Content
    from retrieval.simulate.l2_file.layout import AttributeValue, Variant

Tree = dict[str, Any]

SYNTHETIC = "synthetic"
"""The word that titles, sources and histories of simulated files carry."""

FOOTPRINT_POINTS = 80
"""Points along each side of the footprint polygon; real files have 327 in all."""


def title(variant: Variant) -> str:
    """Return the title of the product, which says that it is synthetic."""
    extent = "5-minute" if variant.is_granule else "1-Orbit"
    return f"TROPOMI/S5P NO2 {extent} L2 Swath {_pixel_size(variant)} ({SYNTHETIC})"


def _pixel_size(variant: Variant) -> str:
    """Pixel size as the attributes give it; v1.3.2 still wrote 7 km in 2020."""
    return "7x3.5km" if variant.version < (2, 0) else "5.5x3.5km"


def global_attributes(content: L2Content, variant: Variant) -> dict[str, AttributeValue]:
    """Return the global attributes in file order.

    The coverage attributes come from `latitude` and `longitude` of the content; `longitude_min`
    may exceed the maximum for an orbit across the antimeridian, as in real files.
    """
    times = content.scanline_time
    reference = content.reference_time
    duration = float((times[-1] - times[0]) / MILLISECOND) / 1000.0
    days = int(reference.astype("datetime64[D]").astype(int))
    latitude, longitude = (content.variables[n] for n in ("latitude", "longitude"))
    found: dict[str, AttributeValue] = {
        "Conventions": "CF-1.7",
        "institution": "KNMI",
        "source": "Sentinel 5 precursor, TROPOMI, space-borne remote sensing, L2; "
        f"{SYNTHETIC}: simulated, not measured",
        "summary": title(variant),
        "tracking_id": content.tracking_id(variant),
        "id": content.stem(variant),
        "time_reference": iso_time(reference),
        "time_reference_days_since_1950": np.int32(days + 7305),
        "time_reference_julian_day": np.float64(days + 2440587.5),
        "time_reference_seconds_since_1970": np.int64(days * 86400),
        "time_coverage_start": iso_time(times[0]),
        "time_coverage_end": iso_time(times[-1]),
        "time_coverage_duration": f"PT{duration:.3f}S",
        "time_coverage_resolution": f"PT{content.resolution:.3f}S",
        "orbit": np.int32(content.orbit),
        "references": "http://www.tropomi.eu/data-products/nitrogen-dioxide",
        "processor_version": variant.processor_version,
        "keywords_vocabulary": "AGU index terms, "
        "http://publications.agu.org/author-resource-center/index-terms/",
        "keywords": "0345 Pollution, Urban and Regional; 0365 Troposphere, Composition and "
        "Chemistry; 0368 Troposphere, Constituent Transport and Chemistry; 3360 Remote Sensing; "
        "3363 Stratospheric Dynamics",
        "standard_name_vocabulary": "NetCDF Climate and Forecast Metadata Conventions Standard "
        "Name Table (v29, 08 July 2015), http://cfconventions.org/standard-names.html",
        "naming_authority": "nl.knmi",
        "cdm_data_type": "Swath",
        "date_created": iso_time(content.creation_time),
        "creator_name": f"dacno2-s5p forward simulator ({SYNTHETIC} data)",
        "creator_url": "http://www.tropomi.eu",
        "creator_email": "none",
        "project": "Sentinel 5 precursor/TROPOMI",
        "geospatial_lat_min": np.float32(np.nanmin(latitude)),
        "geospatial_lat_max": np.float32(np.nanmax(latitude)),
        "geospatial_lon_min": np.float32(np.nanmin(longitude)),
        "geospatial_lon_max": np.float32(np.nanmax(longitude)),
        "license": "No conditions apply",
        "platform": "S5P",
        "sensor": "TROPOMI",
        "spatial_resolution": f"{_pixel_size(variant)}2",
        "cpp_compiler_version": "N/A",
        "cpp_compiler_flags": "N/A",
        "f90_compiler_version": "N/A",
        "f90_compiler_flags": "N/A",
        "build_date": "N/A",
        "revision_control_identifier": "",
        "geolocation_grid_from_band": np.int32(4),
        "identifier_product_doi": variant.doi,
        "identifier_product_doi_authority": "http://dx.doi.org/",
        "algorithm_version": variant.algorithm_version,
        "title": title(variant),
        "product_version": variant.product_version,
        "Status_MET_2D": "Nominal",
        "Status_NISE__": "Nominal",
        "Status_CTMFCT": "Nominal",
        "history": f"{iso_time(content.creation_time)} {SYNTHETIC} file written by dacno2-s5p",
        "processing_status": f"{variant.stream}-processing nominal product ({SYNTHETIC})",
    }
    if variant.version >= (2, 2):
        found["PRODUCT_TYPE"] = f"S5P_{variant.stream}_L2__NO2___"
    if not variant.is_granule:
        found["date_modified"] = iso_time(content.creation_time)
    return {**found, **content.attributes}


def metadata_tree(content: L2Content, variant: Variant) -> Tree:
    """Return the attribute groups below METADATA (all but QA_STATISTICS)."""
    return {
        "ALGORITHM_SETTINGS": algorithm_settings(variant),
        "GRANULE_DESCRIPTION": _granule_description(content, variant),
        "ISO_METADATA": _iso_metadata(content, variant),
        "EOP_METADATA": _eop_metadata(content, variant),
        "ESA_METADATA": {"earth_explorer_header": _esa_header(content, variant)},
    }


def algorithm_settings(variant: Variant) -> dict[str, str]:
    """Return the settings that matter to a reader, all strings: qa recipe, limits, output."""
    settings = {
        "NO2DOAS.include_offset": "false",
        "NO2DOAS.include_ring": "true",
        "NO2DOAS.polynomial_order": "5",
        "NO2DOAS.species": "NO2, O3, O2O2, H2O_vapor, H2O_liquid",
        "NO2DOAS.wavelength_end": "465.0",
        "NO2DOAS.wavelength_start": "405.0",
        "configuration.version.algorithm": variant.algorithm_version,
        "input.1.band": "4",
        "input.1.irrType": "L1B_IR_UVN",
        "input.1.type": "L1B_RA_BD4",
        "input.count": "1",
        "output.1.band": "4",
        "output.1.type": "L2__NO2___",
        "output.compressionLevel": "3",
        "output.count": "1",
        "output.useCompression": "true",
        "output.useFletcher32": "true",
        "output.useShuffleFilter": "true",
        "processing.NO2_scd_limit": "-20.0e-6",
        "processing.algorithm": "NO2___",
        "processing.cloud_wavelength": "440.0",
        "processing.correct_surface_pressure_for_altitude": "true",
        "processing.saturationMaxFraction": "0.01" if variant.version < (2, 2) else "0.25",
        "processing.szaMax": "88.0",
        "processing.szaMin": "0.0",
        "processing.vzaMax": "75.0",
        "processing.vzaMin": "0.0",
    }
    if variant.version >= (2, 2):
        settings |= {
            "CLDDOAS.wavelength_end": "490.0",
            "CLDDOAS.wavelength_start": "460.0",
            "processing.cloud_selection": "0",
            "processing.use_o22cld": "true",
        }
    for kind, (lower, upper, is_logarithmic) in HISTOGRAM_RANGES.items():
        prefix = f"output.histogram.nitrogendioxide_{kind}_column"
        settings[f"{prefix}.logarithmic"] = str(is_logarithmic).lower()
        settings[f"{prefix}.range"] = f"{lower:g},{upper:g}"
    qa = QaSettings()
    settings |= {f"qa_value.{f.name}": str(getattr(qa, f.name)) for f in fields(qa)}
    return dict(sorted(settings.items()))


def _granule_description(content: L2Content, variant: Variant) -> Tree:
    """Group GRANULE_DESCRIPTION, by which readers recognise the product."""
    modes = {"NRTI": "Near-realtime", "RPRO": "Reprocessing"}
    crossing = FILL_FLOAT if content.equator_crossing is None else content.equator_crossing
    found: Tree = {
        "GranuleStart": iso_time(content.scanline_time[0]),
        "GranuleEnd": iso_time(content.scanline_time[-1]),
        "InstrumentName": "TROPOMI",
        "MissionName": "Sentinel-5 precursor",
        "MissionShortName": "S5P",
        "ProcessLevel": "2",
        "ProcessingCenter": "PDGS-OP",
        "ProcessingNode": SYNTHETIC,
        "ProcessorVersion": variant.processor_version,
        "ProductFormatVersion": np.int32(variant.product_format_version),
        "ProcessingMode": modes.get(variant.stream, "Offline"),
        "LongitudeOfDaysideNadirEquatorCrossing": np.float32(crossing),
        "ProductShortName": "L2__NO2___",
    }
    if variant.has_collection_identifier:
        found["CollectionIdentifier"] = variant.collection
    return found


def _code(name: str, value: str) -> Tree:
    """Attributes of an ISO code list entry."""
    return {
        "codeList": f"http://www.isotc211.org/2005/resources/Codelist/gmxCodelists.xml#{name}",
        "codeListValue": value,
        "objectType": f"gmd:{name}",
    }


def _lineage_source(description: str, names: tuple[str, ...], date: str) -> Tree:
    """One input of the processing: `gmd:source#N`, with a `gmx:FileName` per file."""
    citation: Tree = {
        "objectType": "gmd:CI_Citation",
        "gmd:date": {
            "gmd:date": date,
            "objectType": "gmd:CI_Date",
            "gmd:dateType": _code("CI_DateTypeCode", "creation"),
        },
        "gmd:title": {"gco:characterString": description},
    }
    for i, name in enumerate(names, start=1):
        citation[f"gmd:alternateTitle#{i}"] = {"gmx:FileName": name}
    return {
        "objectType": "gmi:LE_Source",
        "gmd:description": description,
        "gmi:processedLevel": {"gmd:code": "N/A", "objectType": "gmd:MD_Identifier"},
        "gmd:sourceCitation": citation,
    }


def _iso_metadata(content: L2Content, variant: Variant) -> Tree:
    """Group ISO_METADATA: extent, and the lineage that names the a-priori file."""
    date = iso_time(content.creation_time)
    step: Tree = {
        "objectType": "gmi:LE_ProcessStep",
        "gmd:description": f"{SYNTHETIC} data simulated for orbit {content.orbit} in the layout of "
        f"the KNMI processor version {variant.processor_version}",
    }
    for i, (description, names) in enumerate(content.auxiliary_files.items(), start=1):
        step[f"gmd:source#{i}"] = _lineage_source(description, names, date)
    latitude, longitude = (content.variables[n] for n in ("latitude", "longitude"))
    box = {
        "gmd:eastBoundLongitude": np.float32(np.nanmax(longitude)),
        "gmd:northBoundLatitude": np.float32(np.nanmax(latitude)),
        "gmd:southBoundLatitude": np.float32(np.nanmin(latitude)),
        "gmd:westBoundLongitude": np.float32(np.nanmin(longitude)),
        "gmd:extentTypeCode": "true",
        "objectType": "gmd:EX_GeographicBoundingBox",
    }
    period = {
        "gml:beginPosition": iso_time(content.scanline_time[0]),
        "gml:endPosition": iso_time(content.scanline_time[-1]),
        "objectType": "gml:TimePeriod",
    }
    return {
        "gmd:dateStamp": date[:10],
        "gmd:fileIdentifier": "urn:ogc:def:EOP:ESA:SENTINEL.S5P_TROP_L2__NO2___",
        "gmd:hierarchyLevelName": "EO Product Collection",
        "gmd:metadataStandardName": "ISO 19115-2 Geographic Information - Metadata Part 2 "
        "Extensions for imagery and gridded data",
        "gmd:metadataStandardVersion": "ISO 19115-2:2009(E), S5P profile",
        "objectType": "gmi:MD_Metadata",
        "gmd:identificationInfo": {
            "gmd:abstract": f"{SYNTHETIC} nitrogen dioxide tropospheric column",
            "objectType": "gmd:MD_DataIdentification",
            "gmd:extent": {
                "objectType": "gmd:EX_Extent",
                "gmd:geographicElement": box,
                "gmd:temporalElement": {
                    "objectType": "gmd:EX_TemporalExtent",
                    "gmd:extent": period,
                },
            },
        },
        "gmd:dataQualityInfo": {
            "objectType": "gmd:DQ_DataQuality",
            "gmd:lineage": {
                "objectType": "gmd:LI_Lineage",
                "gmd:statement": f"{SYNTHETIC} L2 NO2___ dataset",
                "gmd:processStep": step,
            },
        },
    }


def _eop_metadata(content: L2Content, variant: Variant) -> Tree:
    """Group EOP_METADATA: identification and the footprint polygon."""
    stem = content.stem(variant)
    exterior = {"gml:posList": footprint_polygon(content), "objectType": "gml:LinearRing"}
    return {
        "gml:id": f"{stem}.ID",
        "objectType": "atm:EarthObservation",
        "om:phenomenonTime": {
            "gml:beginPosition": iso_time(content.scanline_time[0]),
            "gml:endPosition": iso_time(content.scanline_time[-1]),
            "objectType": "gml:TimePeriod",
        },
        "om:procedure": {
            "gml:id": f"{stem}.EOE",
            "objectType": "eop:EarthObservationEquipment",
            "eop:platform": {"eop:shortName": "Sentinel-5p", "objectType": "eop:Platform"},
            "eop:instrument": {"eop:shortName": "TROPOMI", "objectType": "eop:Instrument"},
            "eop:acquisitionParameters": {
                "eop:orbitNumber": np.int32(content.orbit),
                "objectType": "eop:Acquisition",
            },
        },
        "om:featureOfInterest": {
            "objectType": "eop:FootPrint",
            "gml:id": f"{stem}.FP",
            "eop:multiExtentOf": {
                "objectType": "gml:MultiSurface",
                "gml:surfaceMembers": {"objectType": "gml:Polygon", "gml:exterior": exterior},
            },
        },
        "eop:metaDataProperty": {
            "objectType": "eop:EarthObservationMetaData",
            "eop:acquisitionType": SYNTHETIC,
            "eop:identifier": stem,
            "eop:doi": variant.doi,
            "eop:productType": f"S5P_{variant.stream}_NO2___",
        },
    }


def _esa_header(content: L2Content, variant: Variant) -> Tree:
    """Group earth_explorer_header, reduced to its fixed part."""
    fixed = {
        "File_Name": content.stem(variant),
        "File_Description": title(variant),
        "Mission": "S5P",
        "File_Class": variant.stream,
        "File_Type": "L2__NO2___",
        "objectType": "fixed_header",
    }
    return {"objectType": "earth_explorer_header", "fixed_header": fixed}


def footprint_polygon(content: L2Content) -> str:
    """Return the outline of the swath as one string of `lat lon` pairs, closed."""
    latitude, longitude = (content.variables[n] for n in ("latitude", "longitude"))
    n_scanline, n_pixel = content.shape
    rows = np.unique(np.linspace(0, n_scanline - 1, FOOTPRINT_POINTS).astype(int))
    columns = np.unique(np.linspace(0, n_pixel - 1, FOOTPRINT_POINTS).astype(int))
    ring = [
        *((0, c) for c in columns),
        *((r, n_pixel - 1) for r in rows[1:]),
        *((n_scanline - 1, c) for c in columns[-2::-1]),
        *((r, 0) for r in rows[-2::-1]),
    ]
    points = [(float(latitude[i]), float(longitude[i])) for i in ring]
    return " ".join(f"{lat:.5f} {lon:.5f}" for lat, lon in points if np.isfinite(lat + lon))
