from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Step',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.CharField(db_index=True, max_length=255)),
                ('type', models.CharField(max_length=255)),
                ('subject', models.CharField(blank=True, max_length=255)),
                ('what', models.CharField(choices=[('recorded', 'Recorded'), ('relayed', 'Relayed'), ('handled', 'Handled'), ('failed', 'Failed'), ('dead', 'Dead')], max_length=20)),
                ('who', models.CharField(blank=True, max_length=200)),
                ('note', models.TextField(blank=True)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ('pk',),
            },
        ),
    ]
