"""Figures, pictures and files: image parts within the limits, words for models that do not see."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import pytest

from deepseek_jupyter.context.attach import attach, fingerprint
from deepseek_jupyter.context.files import path_meant
from deepseek_jupyter.context.images import check_images, for_model
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.privacy.levels import parse_spec
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.transport.providers import PROVIDERS, provider_named

Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")


def attached(value, spec: str = "", name: str = "it"):
    return attach(name, value, parse_spec(f"x:{spec}" if spec else "x")[1], Redactor())


def opened(url: str):
    assert url.startswith("data:image/")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def jpeg(**how) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(buffer, "JPEG", **how)
    return buffer.getvalue()


class TestPictures:
    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"])
    def test_a_picture_of_any_mode_becomes_an_image_part(self, mode):
        made = attached(Image.new(mode, (30, 10)))
        assert made.text == "it: an image, 30 x 10 pixels"
        assert opened(made.images[0]).size == (30, 10)

    def test_a_large_one_is_made_smaller(self):
        made = attached(Image.new("RGB", (5_000, 1_000)))
        assert opened(made.images[0]).size == (2_048, 410)
        assert "5000 x 1000" in made.text

    def test_noise_that_would_be_huge_goes_as_jpeg(self):
        made = attached(Image.effect_noise((2_000, 2_000), 90).convert("RGB"))
        assert made.images[0].startswith("data:image/jpeg")
        assert len(made.images[0]) < 6_000_000

    def test_what_a_camera_writes_beside_the_picture_stays_here(self):
        exif = Image.Exif()
        exif[0x010E] = "at home, 52.5 N 13.4 E"
        from IPython import display

        made = attached(display.Image(data=jpeg(exif=exif.tobytes(), comment=b"private")))
        sent = base64.b64decode(made.images[0].partition(",")[2])
        assert b"at home" not in sent
        assert b"private" not in sent

    def test_an_address_is_sent_only_as_https(self):
        from IPython import display

        assert attached(display.Image(url="https://x.org/a.png")).images == ("https://x.org/a.png",)
        with pytest.raises(ParameterError, match="https"):
            attached(display.Image(url="http://x.org/a.png"))

    def test_bytes_that_are_no_picture_are_refused(self):
        from IPython import display

        with pytest.raises(ParameterError, match="not an image that can be read"):
            attached(display.Image(data=b"\x89PNG\r\n\x1a\nrubbish", format="png"))

    @pytest.mark.parametrize("level", ["schema", "stats", "none"])
    def test_below_sample_the_picture_stays_here(self, level):
        made = attached(Image.new("RGB", (3, 3)), level)
        assert made.images == ()
        assert "policy" in made.text

    def test_too_many_or_too_large_for_one_request_is_refused(self):
        check_images(["x"] * 600)
        with pytest.raises(ParameterError, match="601 images"):
            check_images(["x"] * 601)
        with pytest.raises(ParameterError, match="60 MiB"):
            check_images(["x" * 2**20] * 60)


class TestWhoSees:
    @pytest.mark.parametrize(
        ("provider", "model", "sees"),
        [
            ("deepseek", "deepseek-flash", True),
            ("deepseek", "deepseek-v4-flash-vision-exp", True),
            ("deepseek", "deepseek-v4-pro", False),
            ("vllm", "deepseek-flash", False),
            ("local", "anything", False),
        ],
    )
    def test_only_a_model_that_is_known_to_see(self, provider, model, sees):
        assert bool(PROVIDERS[provider].facts(model).images) is sees

    def test_users_can_say_that_theirs_does(self):
        own = provider_named("lab", {"lab": {"like": "vllm", "vision": "qwen*-vl*"}})
        assert own.facts("Qwen3-VL-8B").images

    def test_a_picture_is_refused_with_the_reason_and_what_to_do(self):
        with pytest.raises(ParameterError, match="deepseek-v4-pro is not known to see") as told:
            for_model(attached(Image.new("RGB", (3, 3))), "deepseek-v4-pro", sees=False)
        assert "-m deepseek-flash" in told.value.hint

    def test_a_figure_goes_on_in_words_and_says_so(self):
        plt = pyplot()
        figure, axes = plt.subplots()
        axes.plot([1, 2], [3, 4], label="a line")
        made = for_model(attached(figure), "deepseek-v4-pro", sees=False)
        assert made.images == ()
        assert "line 'a line': 2 points" in made.text
        assert "picture was not sent: deepseek-v4-pro sees no images" in made.text


def pyplot():
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib has no wheel for this Python")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    return plt


class TestMatplotlib:
    def figure(self):
        plt = pyplot()
        figure, (left, right) = plt.subplots(1, 2)
        left.set(title="Fares", xlabel="age", ylabel="fare")
        left.plot([0, 80], [3.5, 512], label="mean")
        left.scatter([1, 2, 3], [4, 5, 6], label="people")
        right.bar(["Ann", "Bob"], [10, 20])
        return figure

    def test_picture_and_words(self):
        made = attached(self.figure())
        assert opened(made.images[0]).format == "PNG"
        lines = made.text.split("\n")
        assert lines[0] == "it: matplotlib figure"
        assert lines[1].startswith("axes 1: title 'Fares', x 'age' from ")
        assert "  line 'mean': 2 points, x 0 to 80, y 3.5 to 512" in lines
        assert "  points 'people': 3 points, x 1 to 3, y 4 to 6" in lines
        assert any("x: Ann, Bob" in line for line in lines)
        assert "  bars: 2, 10, 20" in lines

    def test_the_same_figure_gives_the_same_bytes(self):
        assert attached(self.figure()) == attached(self.figure())
        assert fingerprint(self.figure()) == attached(self.figure()).hash

    def test_levels(self):
        schema, stats = attached(self.figure(), "schema"), attached(self.figure(), "stats")
        assert schema.images == stats.images == ()
        assert "512" not in schema.text
        assert "'age'" in schema.text
        assert "512" in stats.text
        assert "Ann" not in stats.text
        assert "mean" not in stats.text

    @pytest.mark.parametrize("level", ["none", "schema", "stats", "sample"])
    def test_whether_it_has_changed_is_told_under_every_policy(self, level):
        figure = self.figure()
        before = attached(figure, level).hash
        assert before == fingerprint(figure)
        figure.axes[0].get_lines()[0].set_color("red")
        assert before != fingerprint(figure)

    def test_axes_stand_for_their_figure(self):
        figure = self.figure()
        assert attached(figure.axes[0]).text == attached(figure).text


def test_a_plotly_figure_is_told_in_words():
    go = pytest.importorskip("plotly.graph_objects", reason="plotly has no wheel for this Python")
    figure = go.Figure(go.Scatter(x=[1, 2, 3], y=[4, 5, 6], name="people"))
    figure.update_layout(title="Fares", xaxis_title="age")
    said = attached(figure).text
    assert "title 'Fares'" in said
    assert "xaxis: 'age'" in said
    assert "scatter 'people': x: 3 values, 1 to 3, y: 3 values, 4 to 6" in said
    assert "people" not in attached(figure, "stats").text


def test_an_altair_chart_is_told_by_its_specification_without_data():
    altair = pytest.importorskip("altair", reason="altair has no wheel for this Python")
    pandas = pytest.importorskip("pandas", reason="pandas has no wheel for this Python")
    data = pandas.DataFrame({"who": ["Quandt-Weyl"], "n": [3]})
    chart = altair.Chart(data).mark_bar().encode(x="who", y="n")
    said = attached(chart).text
    assert '"field": "who"' in said
    assert "Quandt" not in said


def test_a_chart_of_more_rows_than_altair_writes_is_told_as_well():
    altair = pytest.importorskip("altair", reason="altair has no wheel for this Python")
    data = altair.Data(values=[{"n": n} for n in range(5_001)])
    pandas = pytest.importorskip("pandas", reason="pandas has no wheel for this Python")
    for given in (data, pandas.DataFrame({"n": range(5_001)})):
        chart = altair.Chart(given).mark_point().encode(x="n:Q")
        assert '"field": "n"' in attached(chart, "stats").text


def test_an_altair_chart_is_drawn_without_network():
    altair = pytest.importorskip("altair", reason="altair has no wheel for this Python")
    pytest.importorskip("vl_convert", reason="vl-convert has no wheel for this Python")
    chart = altair.Chart(altair.Data(values=[{"n": 1}, {"n": 5}])).mark_bar().encode(x="n:Q")
    made = attached(chart)
    assert opened(made.images[0]).format == "PNG"
    assert "No picture" not in made.text
    assert made == attached(chart)
    assert attached(chart, "stats").images == ()


def test_a_changed_number_in_a_plotly_figure_or_an_altair_chart_tells():
    go = pytest.importorskip("plotly.graph_objects", reason="plotly has no wheel for this Python")
    altair = pytest.importorskip("altair", reason="altair has no wheel for this Python")

    def figures(middle: int):
        yield go.Figure(go.Scatter(y=[1, middle, 9]))
        yield altair.Chart(altair.Data(values=[{"n": 1}, {"n": middle}])).mark_bar().encode(x="n:Q")

    for one, same, other in zip(figures(2), figures(2), figures(3), strict=True):
        assert fingerprint(one) == fingerprint(same) != fingerprint(other)
        assert fingerprint(one) == attached(one, "stats").hash == attached(one).hash


def test_without_an_exporter_the_words_say_what_is_missing(monkeypatch):
    altair = pytest.importorskip("altair", reason="altair has no wheel for this Python")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    made = attached(altair.Chart(altair.Data(values=[{"n": 1}])).mark_bar())
    assert made.images == ()
    assert "altair needs vl-convert-python" in made.text


class TestFiles:
    def test_a_text_file(self, tmp_path: Path):
        file = tmp_path / "notes.txt"
        file.write_text("one\nada@example.com\n", "utf-8")
        made = attached(file)
        assert made.kind == "file"
        assert made.text == "notes.txt: file, 20 bytes in 3 lines\none\n<email-1>\n"
        assert fingerprint(file) == made.hash

    def test_a_picture_file(self, tmp_path: Path):
        (tmp_path / "a.jpg").write_bytes(jpeg())
        made = attached(tmp_path / "a.jpg")
        assert made.kind == "image"
        assert opened(made.images[0]).size == (40, 20)

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("a.bin", b"\0\1\2", "not a text in UTF-8"),
            ("a.txt", b"\xff\xfeh", "not a text in UTF-8"),
            ("a.txt", b" \n", "is empty"),
            ("a.png", b"no picture", "not an image"),
            ("a.csv", b"who\nAda\n", "is a table"),
            ("a.parquet", b"PAR1", "is a table"),
            (".env", b"KEY=1", "named like a file of secrets"),
            ("id_rsa", b"x", "named like a file of secrets"),
            ("big.txt", b"x" * 50_000_001, "the limit is 50,000,000"),
        ],
    )
    def test_what_cannot_go_is_refused_with_a_way(self, tmp_path, name, content, reason):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ParameterError, match=reason) as told:
            attached(tmp_path / name)
        assert told.value.hint

    def test_what_is_not_there_or_a_folder_is_refused(self, tmp_path):
        with pytest.raises(ParameterError, match="is not there"):
            attached(tmp_path / "x.txt")
        with pytest.raises(ParameterError, match="is a folder"):
            attached(tmp_path)

    @pytest.mark.parametrize(
        ("expression", "meant"),
        [
            ("./notes.txt", "notes.txt"),
            ("/etc/hosts", "/etc/hosts"),
            ("'./no such file'", "no such file"),
            ("df / 2", None),
            ("notes", None),
            ("'a plain text'", None),
            ("x[1:3]", None),
            ('"~nobody said this"', None),
            (f'"{"x" * 299}"', None),
            ('"a\0b"', None),
        ],
    )
    def test_which_expressions_are_paths(self, expression, meant):
        assert path_meant(expression) == (Path(meant) if meant else None)

    def test_a_quoted_name_of_a_file_that_is_there(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "notes.txt").write_text("x", "utf-8")
        assert path_meant('"notes.txt"') == Path("notes.txt")
