from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('eventbridge', '0003_trail_and_audit'),
    ]

    operations = [
        migrations.AddField(
            model_name='deadletter',
            name='redacted',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
    ]
