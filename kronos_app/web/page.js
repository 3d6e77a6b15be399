// Runs beside Streamlit on every page; loaded once.
// The language of the document follows the address, which Streamlit changes without loading the page again.
{
  const usual = document.currentScript.dataset.lang;
  const follow = () => {
    const chosen = new URLSearchParams(location.search).get("lang");
    document.documentElement.lang = chosen ? chosen.replace("_", "-") : usual;
  };
  for (const name of ["pushState", "replaceState"]) {
    const change = history[name].bind(history);
    history[name] = (...args) => { change(...args); follow(); };
  }
  addEventListener("popstate", follow);
  follow();
}
