"""Keys of the Fine-tune page's widgets in the session state."""

VIEW = "finetune.view"
STAGES = "finetune.stages"
SPLIT = "finetune.split"
VALIDATION = "finetune.validation"
TEST = "finetune.test"
FIELD = "finetune.field"  # and the path of the setting
TRIAL = "finetune.trial"
COMPARED = "finetune.compared"
NAME = "finetune.name"
NOTE = "finetune.note"
