"""Records of registered models."""


def test_versions_come_back_as_they_were_by_name_and_the_newest_first(store, registered):
    models = [registered("b"), registered(version=1), registered(version=2, base=None, scores=None, worse=None)]
    for model in models:
        store.registered.put(model)
    assert store.registered.list() == [models[0], models[2], models[1]]
    assert store.registered.get("mine", 2) == models[2]
    assert store.registered.get("mine", 3) is None
    assert models[2].label == "mine@2"


def test_a_version_that_is_put_again_takes_the_place_of_the_first(store, registered):
    store.registered.put(registered())
    store.registered.put(registered(state="retired", trained_until=None))
    assert store.registered.list() == [registered(state="retired", trained_until=None)]


def test_several_are_kept_at_once(store, registered):
    store.registered.put_all([registered(), registered(version=2)])
    store.registered.put_all([registered(state="promoted"), registered(version=2, state="retired")])
    assert [one.state for one in store.registered.list()] == ["retired", "promoted"]


def test_what_is_deleted_is_gone_and_nothing_else(store, registered):
    store.registered.put_all([registered(), registered(version=2), registered("other")])
    store.registered.delete("mine", 1)
    store.registered.delete("nobody", 1)
    assert [one.label for one in store.registered.list()] == ["mine@2", "other@1"]


def test_versions_are_there_after_the_store_was_opened_again(open_store, url, registered):
    store = open_store(url)
    store.registered.put(registered())
    store.close()
    assert open_store(url).registered.list() == [registered()]
