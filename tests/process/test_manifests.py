"""The Kubernetes manifests render, pass a schema validator, and mean each other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import certifi
import kubernetes_validate
import pytest
import yaml

from zeus_bso.server.config import Settings
from zeus_bso.server.database.engine import open_database

KUBERNETES = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OVERLAYS = sorted(path.parent.name for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
TRAIN_JOB = "train-job.yaml"
TRAINING = sorted(path.name for path in KUBERNETES.glob("training/*.yaml") if path.name != TRAIN_JOB)
RUN_ID_LABELS = {
    # The operator gives its pods no label with the uid of the PyTorchJob.
    "pytorch-job.yaml": "training.kubeflow.org/job-name",
    "training-runtime.yaml": "jobset.sigs.k8s.io/jobset-uid",
}
VERSION = "1.31"
Document = dict[str, Any]

EXTENSIONS = {
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("kubeflow.org/v1", "PyTorchJob"),
    ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime"),
}
"""Kinds that operators bring along: their schemas are not the validator's, which sees the pods in them alone."""


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[Document]:
    """What an overlay renders to."""
    return rendered(KUBERNETES / "overlays" / request.param)


def rendered(folder: Path) -> list[Document]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        # Also in CI: no distribution's own package is recent enough to be installed by a script.
        pytest.skip("NO KUBECTL: the Kubernetes manifests are not rendered; install it")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def kind(documents: list[Document], name: str) -> Document:
    [found] = [document for document in documents if document["kind"] == name]
    return found


def pods(node: Any) -> Iterator[Document]:
    """Every pod template in a document."""
    if isinstance(node, dict) and "containers" in node.get("spec", {}) and "metadata" in node:
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    for child in children:
        yield from pods(child)


def validate(document: Document) -> None:
    """Check a document, or the pods in one of a kind that the validator does not know."""
    if (document["apiVersion"], document["kind"]) in EXTENSIONS:
        for pod in pods(document["spec"]):
            validate({"apiVersion": "v1", "kind": "Pod", **pod})
        return
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_there_is_something_to_render() -> None:
    assert OVERLAYS == ["mysql", "postgres"]
    assert len(TRAINING) == 4


def test_every_document_of_an_overlay_passes_the_validator(overlay: list[Document]) -> None:
    assert len(overlay) == 9
    for document in overlay:
        validate(document)


def test_the_validator_refuses_what_is_wrong(overlay: list[Document]) -> None:
    wrong = kind(overlay, "Deployment")
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(wrong | {"spec": wrong["spec"] | {"replicaz": 3}})


def test_the_monitoring_component_lets_prometheus_in(tmp_path: Path) -> None:
    copy = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    kustomization = copy / "overlays" / "mysql" / "kustomization.yaml"
    text = kustomization.read_text()
    assert "# components:\n#   - ../../components/monitoring" in text
    kustomization.write_text(text.replace("# components:\n#   -", "components:\n  -"))

    documents = rendered(kustomization.parent)

    for document in documents:
        validate(document)
    [endpoint] = kind(documents, "PodMonitor")["spec"]["podMetricsEndpoints"]
    [container] = kind(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert endpoint["port"] in [port["name"] for port in container["ports"]]
    assert len(kind(documents, "NetworkPolicy")["spec"]["ingress"]) == 2


def test_what_selects_pods_selects_the_servers(overlay: list[Document]) -> None:
    deployment = kind(overlay, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        kind(overlay, "Service")["spec"]["selector"],
        kind(overlay, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        kind(overlay, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= labels.items()
    target = kind(overlay, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    assert (
        kind(overlay, "Job")["spec"]["template"]["metadata"]["labels"]
        .items()
        .isdisjoint(kind(overlay, "Service")["spec"]["selector"].items() - {("app.kubernetes.io/name", "zeus-bso")})
    )


def test_no_container_may_write_its_root_or_gain_rights_and_no_password_stands_here(overlay: list[Document]) -> None:
    found = [pod for document in overlay for pod in pods(document)]

    assert len(found) == 2
    for pod in found:
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"]
            assert all("valueFrom" in variable for variable in container["env"])
    assert not [document for document in overlay if document["kind"] == "Secret"]


def test_the_autoscaler_alone_says_how_many_servers_there_are(overlay: list[Document]) -> None:
    assert "replicas" not in kind(overlay, "Deployment")["spec"]
    assert kind(overlay, "HorizontalPodAutoscaler")["spec"]["minReplicas"] >= 2


def test_every_way_out_has_a_destination_and_a_port(overlay: list[Document]) -> None:
    names, database = kind(overlay, "NetworkPolicy")["spec"]["egress"]

    for way in (names, database):
        assert way["to"]
        assert way["ports"]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in names["to"]
    [to] = database["to"]
    assert ip_network(to["ipBlock"]["cidr"]).num_addresses == 1


def test_the_certificate_of_the_database_is_verified(overlay: list[Document]) -> None:
    data = kind(overlay, "ConfigMap")["data"]
    options = dict(option.split("=") for option in data["ZEUS_BSO_DB_OPTIONS"].split("&"))
    authority = options.get("ssl_ca") or options["sslrootcert"]

    assert options.get("ssl_mode", options.get("sslmode")) in ("VERIFY_IDENTITY", "verify-full")
    for pod in (pod for document in overlay for pod in pods(document)):
        [volume] = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "database"]
        [item] = volume["secret"]["items"]
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "database"]
            assert f"{mount['mountPath']}/{item['path']}" == authority
    settings = Settings(
        db_kind=data["ZEUS_BSO_DB_KIND"],
        db_host=data["ZEUS_BSO_DB_HOST"],
        db_options=data["ZEUS_BSO_DB_OPTIONS"].replace(authority, certifi.where()),
    )
    open_database(settings.database_url, pool_size=1)


def test_a_server_has_the_time_to_drain(overlay: list[Document]) -> None:
    drain_s = float(kind(overlay, "ConfigMap")["data"]["ZEUS_BSO_DRAIN_S"])
    pod = kind(overlay, "Deployment")["spec"]["template"]["spec"]
    probe = pod["containers"][0]["readinessProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] <= drain_s
    assert drain_s + 10 < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", TRAINING)
def test_training_examples_pass_and_hand_over_what_their_job_is_called(name: str) -> None:
    [document] = yaml.safe_load_all((KUBERNETES / "training" / name).read_text())

    validate(document)
    found = list(pods(document))
    assert found
    for pod in found:
        variables = {variable["name"]: variable for variable in pod["spec"]["containers"][0]["env"]}
        assert variables["ZEUS_BSO_RUN_ID"]["value"] == "kubernetes"
        field = variables["ZEUS_BSO_KUBERNETES_JOB"]["valueFrom"]["fieldRef"]["fieldPath"]
        assert field == f"metadata.labels['{RUN_ID_LABELS.get(name, 'batch.kubernetes.io/controller-uid')}']"
        assert pod["metadata"]["labels"]["zeus-bso.io/client"] == "true"


def test_a_train_job_fits_its_runtime() -> None:
    runtime, train_job = (
        yaml.safe_load((KUBERNETES / "training" / name).read_text()) for name in ("training-runtime.yaml", TRAIN_JOB)
    )
    trainer = train_job["spec"]["trainer"]

    assert train_job["apiVersion"] == runtime["apiVersion"]
    assert train_job["spec"]["runtimeRef"] == {"kind": runtime["kind"], "name": runtime["metadata"]["name"]}
    # The trainer's image, command and resources go into the container of this name, in the job with this label.
    [replicated] = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert replicated["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    [pod] = pods(replicated["template"]["spec"])
    [container] = pod["spec"]["containers"]
    assert (replicated["name"], container["name"]) == ("node", "node")
    container |= {"command": trainer["command"], "image": trainer["image"], "resources": trainer["resourcesPerNode"]}
    validate({"apiVersion": "v1", "kind": "Pod", **pod})
