"""The reports in a browser, at three widths, light and dark: nothing covered, cut or dead.

They need Chromium: that of ``playwright install chromium``, one on the path, or the one that the
environment variable CURATE_CHROMIUM names. Where there is none these tests are skipped.
"""

import json
import os
import shutil

import pytest

from tests.report.pages import HOSTILE, identify_page, run_page

WIDTHS = (1400, 700, 390)
LONG = "dandelion/2019_expedition_to_somewhere/camera_{}/IMG_{:05}.jpg"

# What a reader would stumble over: {sideways: [...], covered: [...], cut: [...]}.
LOOK = """() => {
  const sideways = [], covered = [], cut = [], lines = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) sideways.push("the page");
  for (const element of document.querySelectorAll("body *")) {
    if (!element.checkVisibility()) continue;
    const scrolls = ["auto", "scroll", "hidden"].includes(getComputedStyle(element).overflowX);
    if (scrolls && element.clientWidth && element.scrollWidth > element.clientWidth + 1
        && !["INPUT", "SELECT"].includes(element.tagName))
      sideways.push(element.tagName + "." + element.className);
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || !parent.checkVisibility()) continue;
    if (parent.closest("script, style, title, option, .scroll, .long")) continue;
    if (parseFloat(getComputedStyle(parent).fontSize) < 1) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width > 1) lines.push([box, node.textContent.trim().slice(0, 40), parent]);
  }
  lines.sort((one, other) => one[0].top - other[0].top);
  lines.forEach(([a, words, parent], at) => {
    for (let next = at + 1; next < lines.length && lines[next][0].top < a.bottom; next += 1) {
      const [b, others, beside] = lines[next];
      const over = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const deep = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // lines of a turned text have boxes larger than what is drawn
      const turned = parent.hasAttribute("transform") || beside.hasAttribute("transform");
      const hides = parent !== beside && !turned && over > 1 && deep > 4;
      if (hides) covered.push(words + " | " + others);
    }
  });
  for (const words of document.querySelectorAll("svg text")) {
    if (!words.checkVisibility()) continue;
    const frame = words.closest("svg").getBoundingClientRect(), box = words.getBoundingClientRect();
    if (box.left < frame.left - 1.5 || box.right > frame.right + 1.5
        || box.top < frame.top - 3 || box.bottom > frame.bottom + 3) cut.push(words.textContent);
  }
  return { sideways, covered, cut };
}"""


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    own = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = os.environ.get("CURATE_CHROMIUM") or next(filter(None, map(shutil.which, own)), None)
    with api.sync_playwright() as driver:
        if path is None and not os.path.exists(driver.chromium.executable_path):
            pytest.skip("no Chromium: run `playwright install chromium` or set CURATE_CHROMIUM")
        found = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"], timeout=180_000
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Paths of a calm run and game, hostile ones, and a game of forty sources."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in ("run", "game", "bad-run", "bad-game", "40")}
    run_page(found["run"], ids=[LONG.format(row % 7, row) for row in range(400)])
    bad = [f"{HOSTILE[row % len(HOSTILE)]} {row}" for row in range(400)]
    run_page(found["bad-run"], ids=bad, names=HOSTILE, title=HOSTILE[0] + HOSTILE[6] * 3)
    identify_page(found["game"], ["caltech101_64", "tiny_imagenet_cifar10_overlap_64", "a", "b"])
    identify_page(found["bad-game"], HOSTILE, lambda name, row: f"{HOSTILE[row % 8]}{row}")
    identify_page(found["40"], [f"source_{i}_of_natural_images_64" for i in range(40)])
    return found


@pytest.fixture
def opened(browser, pages):
    """Opens a page; fails on any error of its script, and if text of the data ever ran."""
    contexts, errors = [], []

    def open_page(name, width=1400, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        context.set_default_timeout(180_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.on("request", lambda request: _only_itself(request.url, errors))
        page.goto(pages[name].as_uri())
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            assert page.evaluate("window.struck") is None
        context.close()
    assert errors == []


def _only_itself(url, errors):
    if not url.startswith(("file:", "data:", "blob:")):
        errors.append(f"asked for {url}")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["run", "game", "bad-run", "bad-game", "40"])
def test_nothing_is_covered_cut_or_off_the_side(opened, name, width):
    page = opened(name, width, "dark" if width == 700 else "light")
    assert page.evaluate(LOOK) == {"sideways": [], "covered": [], "cut": []}
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(LOOK)["sideways"] == []


def shown(page):
    """The ids of the rows that are shown, in their order."""
    rows = "[...document.querySelectorAll('#examples tbody tr')].filter((row) => !row.hidden)"
    return page.evaluate(f"{rows}.map((row) => JSON.parse(row.dataset.id))")


def cards(page):
    """The rows of the cards that are not filtered away."""
    found = "[...document.querySelectorAll('.gallery li[data-row]')].filter((card) => !card.hidden)"
    return set(page.evaluate(f"{found}.map((card) => 'row-' + card.dataset.row)"))


def cells(page):
    """Every row as a dict of its cells' text by heading."""
    return page.evaluate(
        """() => [...document.querySelectorAll('#examples tbody tr')].map((row) => ({
            id: JSON.parse(row.dataset.id), anchor: row.id,
            ...Object.fromEntries([...row.cells].map((cell) =>
              [cell.dataset.head || "Example", cell.textContent.trim()])) }))"""
    )


@pytest.mark.parametrize("width", [1400, 390])
def test_class_range_and_two_words_filter_rows_and_cards(opened, width):
    page = opened("run", width)
    rows = cells(page)

    def check(wanted):
        assert sorted(shown(page)) == sorted(row["id"] for row in rows if wanted(row))
        anchors = {row["anchor"] for row in rows if wanted(row)}
        assert cards(page) == anchors
        assert f"{len(anchors)} of {len(rows)} examples" in page.inner_text("#shown")

    page.select_option("select.facet >> nth=0", "=dog")
    check(lambda row: row["Class"] == "dog")
    page.fill("#low", "2")
    page.fill("#high", "3")
    check(lambda row: row["Class"] == "dog" and row["Forgotten"] in ("2", "3"))
    page.click("#reset")
    check(lambda row: True)
    page.fill("#words", "removed fish")
    check(lambda row: row["Selection"] == "removed" and row["Class"] == "fish")
    page.fill("#words", "8 removed")  # a number is a whole number of an id, not any digit
    check(lambda row: row["Selection"] == "removed" and row["id"].endswith("_00008.jpg"))
    page.fill("#words", "forgotten 3")  # a heading and a value
    check(lambda row: row["Forgotten"] == "3")


def test_what_is_selected_is_saved_and_copied(opened):
    page = opened("run")
    page.select_option("select.facet >> nth=1", "=removed")
    with page.expect_download() as waiting:
        page.click("#save")
    assert json.loads(waiting.value.path().read_text()) == shown(page)
    page.click("#reset")
    first = shown(page)[:2]
    for at in (0, 1):
        page.locator("#examples .pick").nth(at).check()
    ticked = page.locator(".gallery .pick:checked")  # the cards follow
    assert ticked.count() >= 2
    with page.expect_download() as waiting:
        page.click("#save")
    assert waiting.value.suggested_filename == "ids.json"
    assert json.loads(waiting.value.path().read_text()) == first
    page.click("#unselect")
    assert page.locator(".pick:checked").count() == 0


def test_saved_ids_of_a_game_name_their_source_and_survive_any_text(opened):
    page = opened("bad-game")
    with page.expect_download() as waiting:
        page.click("#save")
    saved = json.loads(waiting.value.path().read_text())
    assert {row["source"] for row in saved} == set(HOSTILE)
    wanted = {f"{HOSTILE[row % 8]}{row}" for row in range(40)}
    assert {row["example_id"] for row in saved} <= wanted
    assert len(saved) == page.locator("#examples tbody tr").count()


@pytest.mark.parametrize("name", ["run", "game"])
def test_cards_lead_to_rows_and_rows_to_cards(opened, name):
    page = opened(name)
    dangling = page.evaluate(
        """() => [...document.querySelectorAll("a[href^='#']")]
            .filter((link) => !document.getElementById(link.hash.slice(1))).length"""
    )
    assert dangling == 0
    assert page.locator(".gallery li:not(:has(a.jump))").count() == 0
    assert page.locator("#examples tbody tr:not(:has(td.cards a))").count() == 0
    card = page.locator(".gallery li").first
    number = card.get_attribute("data-row")
    page.fill("#words", "nothing is called this")
    page.evaluate(f"document.querySelector(\"a.jump[href='#row-{number}']\").click()")
    assert page.locator(f"#row-{number}").is_visible()  # the filter has gone
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    page.locator(f"#row-{number} td.cards a").first.click()
    page.wait_for_selector(".gallery li:target", state="visible")


def test_keys_do_all_that_a_mouse_does(opened):
    page = opened("run")
    page.focus("#examples thead th:nth-child(3) .sort")
    page.keyboard.press("Enter")
    numbers = [int(row["Forgotten"].replace("–", "0")) for row in cells(page)]
    assert numbers == sorted(numbers, reverse=True)
    head = page.locator("#examples thead th:nth-child(3)")
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "ascending"
    page.focus(".gallery .pick >> nth=0")
    page.keyboard.press("Space")
    assert "1 selected" in page.inner_text("#shown")
    page.keyboard.press("Tab")  # to the picture, which is a link to the row
    page.keyboard.press("Enter")
    page.wait_for_selector("#examples tr:target")
    page.focus(".group summary >> nth=0")
    page.keyboard.press("Enter")
    assert page.locator(".group").first.get_attribute("open") is None


def test_every_table_of_a_game_sorts(opened):
    page = opened("game")
    tables = page.locator("table.sortable")
    assert tables.count() >= 5
    for at in range(tables.count()):
        table = tables.nth(at)
        heads = table.locator("thead .sort")
        assert heads.count() > 0
        for column in range(heads.count()):
            heads.nth(column).click()
            keys = table.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()
            try:
                values = [float(key.replace("%", "").replace(",", "")) for key in keys]
            except ValueError:
                values = [key.lower() for key in keys]
            assert values in (sorted(values), sorted(values, reverse=True)), (at, column)


@pytest.mark.parametrize("width", [1400, 390])
def test_a_cut_id_is_whole_when_marked(opened, width):
    page = opened("run", width)
    first = page.evaluate(
        """() => {
          const id = document.querySelector(".gallery .id");
          getSelection().selectAllChildren(id);
          const row = document.getElementById("row-" + id.closest("li").dataset.row);
          return [getSelection().toString(), JSON.parse(row.dataset.id), id.innerText.length,
                  id.querySelector(".mid").getBoundingClientRect().width];
        }"""
    )
    assert first[0] == first[1]
    assert first[3] < 20  # what is hidden takes no more room than its ellipsis
